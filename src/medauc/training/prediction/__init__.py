"""From files to scores: what is read, how it is scored and judged, and the table and structured reports made of it."""
