"""The changes of a training batch: where pixels come from, what values they have, what is erased."""

from collections.abc import Sequence

from torch import Generator, Tensor, nn

from medauc.data.augment.draw import Draw, require, require_between
from medauc.data.augment.erase import erased
from medauc.data.augment.geometry import Geometry, Padding
from medauc.data.augment.intensity import Intensity


class Augment(nn.Module):
    """Random changes of float images in training; every image of the batch gets its own.

    All geometric changes are composed into one map per image and applied by one interpolation (linear;
    nearest neighbour, hence exact, if only flips, quarter turns and crops are on). Every option is off by
    default. In evaluation mode images pass unchanged, except for ``voxel_scaling``.

    Args:
        spatial_dims: 2 for images, 3 for volumes.
        flip: Probability of mirroring, 0 to 1, along each axis, or one for each axis in the order of the
            array ((H, W) or (D, H, W)).
        quarter_turns: Turn by a random multiple of 90 degrees: one of 4 orientations in 2D, of 24 in 3D.
            Needs equal sizes along all axes.
        rotation: Largest angle in degrees, 0 to 180; the angle is uniform up to it in both directions, the
            axis in 3D uniform over all directions.
        scale: Range of the factor of enlargement, 0 < low <= high, drawn log-uniformly; (1, 1) is off.
        shear: Largest tangent of the shear angle, 0 to 1, for each pair of axes.
        shift: Largest displacement along each axis as a fraction of its size, 0 to 1.
        crop: Largest displacement along each axis in whole pixels, at least 0: the result is that of
            padding by so many pixels and cropping at random to the old size.
        elastic: Largest displacement of a smooth random deformation along each axis, as a fraction of its size,
            0 to 0.4 of ``elastic_spacing``, within which no image folds. A cubic B-spline of control points
            whose displacements are uniform up to it (Rueckert et al., IEEE TMI 1999): its standard deviation
            is about 0.3 of the limit in 2D, 0.2 in 3D.
        elastic_spacing: Distance of the control points as a fraction of the size, 0.05 to 1: the larger, the
            smoother.
        warp_share: Probability, 0 to 1, that an image gets rotation, scale, shear, shift and elastic
            deformation at all; the others are flipped, turned and cropped only, and so keep their values to
            the bit, as images do in evaluation.
        padding: What lies outside of the image: "border" repeats its edge, "reflection" mirrors it, "zeros"
            is the value 0 (black before, the mean grey after standardisation).
        blur: Largest standard deviation of a Gaussian blur in pixels, at least 0; each image's is uniform up
            to it.
        brightness: Largest summand, at least 0, in units of the pixel values; uniform in both directions.
        contrast: Largest relative change of the distance to the image's own mean, 0 to 1.
        gamma: Largest absolute logarithm of the exponent applied to the image stretched to 0..1 between its
            own extremes, 0 to 2; 0.3 draws exponents from 0.74 to 1.35.
        speckle: Largest standard deviation of Gaussian noise relative to a pixel's height above the darkest
            one of its image, 0 to 1; each image's is uniform up to it.
        noise: Largest standard deviation of white Gaussian noise, at least 0, in units of the pixel values;
            each image's is uniform up to it.
        voxel_scaling: Multiply each image by its own uniform number between 0 and 1 in training, by 0.5 in
            evaluation. Meant for images in 0..1 (Yang et al., MedMNIST v2, Scientific Data 2023, for 3D
            sets of shapes).
        erase: Largest part of the image, 0 to 1, that a random box covers with the image's mean
            (:func:`medauc.data.augment.erase.erased`).

    Shape:
        Input and output (N, C, *spatial), of the same floating dtype and device.

    Raises:
        InputError: If an option is outside its range, or ``quarter_turns`` meets images that are not square.
        ValueError: On images that are not floating, or have another number of axes.

    >>> import torch
    >>> augment = Augment(2, flip=1.0)
    >>> augment(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
    tensor([[[[4., 3.], [2., 1.]]]])
    """

    def __init__(
        self,
        spatial_dims: int,
        *,
        flip: float | Sequence[float] = 0.0,
        quarter_turns: bool = False,
        rotation: float = 0.0,
        scale: tuple[float, float] = (1.0, 1.0),
        shear: float = 0.0,
        shift: float = 0.0,
        crop: int = 0,
        elastic: float = 0.0,
        elastic_spacing: float = 0.25,
        warp_share: float = 1.0,
        padding: Padding = "border",
        blur: float = 0.0,
        brightness: float = 0.0,
        contrast: float = 0.0,
        gamma: float = 0.0,
        speckle: float = 0.0,
        noise: float = 0.0,
        voxel_scaling: bool = False,
        erase: float = 0.0,
    ) -> None:
        super().__init__()
        require(spatial_dims in (2, 3), "spatial_dims", spatial_dims, "2 or 3")
        require_between("erase", erase, 1)
        self.spatial_dims = spatial_dims
        self.erase = erase
        self.geometry = Geometry(
            spatial_dims=spatial_dims,
            flip=tuple(flip) if isinstance(flip, Sequence) else (flip,) * spatial_dims,
            quarter_turns=quarter_turns,
            rotation=rotation,
            scale=scale,
            shear=shear,
            shift=shift,
            crop=crop,
            elastic=elastic,
            elastic_spacing=elastic_spacing,
            warp_share=warp_share,
            padding=padding,
        )
        self.intensity = Intensity(
            blur=blur,
            gamma=gamma,
            brightness=brightness,
            contrast=contrast,
            speckle=speckle,
            noise=noise,
            voxel_scaling=voxel_scaling,
        )

    def forward(self, images: Tensor, generator: Generator | None = None) -> Tensor:
        """Augment ``images`` (N, C, *spatial).

        Args:
            images: A floating batch. It is not changed in place.
            generator: Source of randomness on the device of ``images``; torch's global one of that device
                if None.
        """
        if not images.is_floating_point() or images.dim() != self.spatial_dims + 2:
            raise ValueError(
                f"expected float images (N, C, *spatial) with {self.spatial_dims} spatial axes, "
                f"got {images.dtype} of shape {tuple(images.shape)}"
            )
        if not self.training:
            return self.in_evaluation(images)
        draw = Draw(images, generator)
        augmented = self.changed(images, draw)
        return erased(augmented, self.erase, draw) if self.erase > 0 else augmented

    def in_evaluation(self, images: Tensor) -> Tensor:
        """Give ``images`` the form that they have outside of training, in whatever mode this module is."""
        return images * 0.5 if self.intensity.voxel_scaling else images

    def changed(self, images: Tensor, draw: Draw) -> Tensor:
        """Change ``images`` as in training by the numbers of ``draw``, but erase nothing."""
        augmented = images.to(draw.dtype)
        if self.geometry.is_on:
            augmented = self.geometry(augmented, draw)
        return self.intensity(augmented, draw).to(images.dtype)
