"""Corruptions against closed forms and other libraries; false alarms are below 1e-4 a test."""

from __future__ import annotations

import colorsys
import itertools
import math

import numpy as np
import pytest
from scipy import fft, ndimage, stats  # noqa: TID251 - densities as oracles, in a test only

from digits import SPEC, held_out, network
from evenhand.models.torch import TorchModel
from evenhand.probes.corrupt.corruption import SEVERITIES, corrupted
from evenhand.probes.corrupt.kernel import disc, spread, streak
from evenhand.probes.corrupt.registry import corruptions
from evenhand.probes.corrupt.sampling import displaced
from evenhand.probes.corrupt.video import quantised

SURE = 5.0
"""Standard errors that a figure may be off; beyond lie 6e-7 of those of a normal one."""

AT_EACH = pytest.mark.parametrize("severity", SEVERITIES)


def streams(count, seed=0):
    return np.random.default_rng(seed).spawn(count)


def applied(name, images, severity, seed=0):
    """What a corruption gives before it is cut to the range."""
    return corruptions()[name].apply(images, severity, streams(len(images), seed))


def rough(count, height, width, channels, seed=0):
    return np.random.default_rng(seed).random((count, height, width, channels))


def ramp(count, height, width):
    """Brighter by 1 / width with every pixel to the right."""
    return np.broadcast_to(np.arange(width) / width, (count, height, width))[..., None].copy()


@AT_EACH
def test_gaussian_noise_deviates_as_it_says(severity):
    deviation = (0.08, 0.12, 0.18, 0.26, 0.38)[severity - 1]
    grey = np.full((40, 28, 28, 1), 0.5)
    noise = (applied("gaussian_noise", grey, severity) - grey).ravel()
    assert abs(noise.mean()) < SURE * deviation / math.sqrt(noise.size)
    expected = deviation**2
    assert abs(noise.var() - expected) < SURE * expected * math.sqrt(2 / noise.size)
    weakest = applied("gaussian_noise", grey, 1) - grey
    np.testing.assert_allclose(noise, weakest.ravel() * deviation / 0.08, atol=1e-12)


@AT_EACH
@pytest.mark.parametrize("light", [0.1, 0.5, 1.0])
def test_shot_noise_counts_photons(severity, light):
    white = (60, 25, 12, 5, 3)[severity - 1]
    counts = white * applied("shot_noise", np.full((20, 28, 28, 1), light), severity).ravel()
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-9)
    most = np.arange(int(stats.poisson.ppf(0.999, light * white)))
    expected = np.append(stats.poisson.pmf(most, light * white), 0) * counts.size
    expected[-1] = counts.size - expected.sum()
    seen = [*(np.sum(np.rint(counts) == count) for count in most)]
    seen.append(counts.size - sum(seen))
    assert stats.chisquare(seen, expected).pvalue > 1e-6


def test_shot_noise_goes_on_counting_where_a_higher_severity_stops():
    x = rough(5, 12, 12, 3)
    photons = [
        white * applied("shot_noise", x, severity)
        for severity, white in zip(SEVERITIES, (60, 25, 12, 5, 3), strict=True)
    ]
    for more, fewer in itertools.pairwise(photons):
        assert (more > fewer - 1e-9).all()


def test_impulse_noise_hits_its_share_and_what_it_hit_stays_hit():
    grey = np.full((40, 28, 28, 1), 0.5)
    before = np.zeros(grey.shape, bool)
    for severity, share in zip(SEVERITIES, (0.03, 0.06, 0.09, 0.17, 0.27), strict=True):
        found = applied("impulse_noise", grey, severity)
        assert set(np.unique(found)) == {0.0, 0.5, 1.0}
        for value in (0.0, 1.0):
            half = share / 2
            error = math.sqrt(half * (1 - half) / grey.size)
            assert abs(np.mean(found == value) - half) < SURE * error
        hit = found != 0.5
        assert hit[before].all()
        before = hit


@AT_EACH
@pytest.mark.parametrize(
    "name",
    "defocus_blur glass_blur motion_blur zoom_blur elastic_transform pixelate resize".split(),  # noqa: SIM905
)
@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (37, 19, 3)], ids=str)
def test_what_moves_light_leaves_even_images_alone(name, severity, shape):
    even = np.full((2, *shape), 0.37)
    np.testing.assert_allclose(applied(name, even, severity), even, atol=1e-12)


@pytest.mark.parametrize("radius", [0.1, 0.4, 1.3, 4.0, 10.0])
def test_a_disc_has_the_light_and_the_width_of_a_disc(radius):
    kernel = disc(radius)
    places = np.arange(len(kernel)) - len(kernel) // 2
    assert math.isclose(kernel.sum(), 1)
    np.testing.assert_allclose(kernel, kernel[::-1], atol=1e-12)
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-12)
    # Sharing between two pixels, a part f to one, adds f (1 - f) to the square of the width.
    wide = kernel.sum(axis=0) @ places**2
    assert radius**2 / 4 <= wide + 1e-12
    assert wide <= radius**2 / 4 + 1 / 4
    if radius > 8:
        inside = np.hypot(places, places[:, None]) < radius - 2
        np.testing.assert_allclose(kernel[inside], 1 / (math.pi * radius**2), rtol=0.1)


@pytest.mark.parametrize(("length", "fading"), [(10, 3), (15, 8), (20, 15), (2.5, 1.9)])
@pytest.mark.parametrize("angle", [0.0, 0.3, -math.pi / 4, -2.0])
def test_a_streak_goes_its_way_and_fades_as_half_a_normal_density(length, fading, angle):
    kernel = streak(length, fading, angle)
    places = np.arange(len(kernel)) - len(kernel) // 2
    assert math.isclose(kernel.sum(), 1)
    ends = stats.norm.pdf(0) - stats.norm.pdf(length / fading)
    far = fading * ends / (stats.norm.cdf(length / fading) - 0.5)
    right, down = kernel.sum(axis=0) @ places, kernel.sum(axis=1) @ places
    np.testing.assert_allclose([right, -down], [far * math.cos(angle), far * math.sin(angle)], 0.01)


@pytest.mark.parametrize("kernel", [disc(0.3), disc(2.7), streak(5, 3, 0.5), streak(1, 1, -1.8)])
def test_light_is_spread_as_scipy_convolves(kernel):
    image = rough(1, 17, 23, 2)[0]
    expected = ndimage.convolve(image, kernel[..., None], mode="reflect")
    np.testing.assert_allclose(spread(image, kernel), expected, atol=1e-12)


def test_pixels_are_looked_for_as_scipy_does():
    images, rng = rough(3, 11, 7, 2), np.random.default_rng(1)
    down, right = rng.normal(scale=3, size=(2, 3, 11, 7))
    found = displaced(images, down, right)
    rows, columns = np.mgrid[:11, :7]
    for place, channel in np.ndindex(3, 2):
        where = [rows + down[place], columns + right[place]]
        expected = ndimage.map_coordinates(
            images[place, ..., channel], where, order=1, mode="nearest"
        )
        np.testing.assert_allclose(found[place, ..., channel], expected, atol=1e-12)


@AT_EACH
def test_glass_displaces_evenly_up_to_its_reach(severity):
    reach = (2, 3, 5, 6, 8)[severity - 1] * 28 / 224
    images = ramp(10, 28, 60)
    ways = 60 * (applied("glass_blur", images, severity) - images)[:, :, 2:-2].ravel()
    assert np.abs(ways).max() <= reach + 1e-9
    assert stats.kstest(ways, stats.uniform(-reach, 2 * reach).cdf).pvalue > 1e-6


@AT_EACH
def test_elastic_displaces_by_its_standard_deviation(severity):
    images = ramp(500, 16, 40)
    ways = 40 * (applied("elastic_transform", images, severity) - images)[:, 8, 20, 0]
    expected = 0.007 * severity * 16
    assert abs(ways.std() / expected - 1) < SURE / math.sqrt(2 * 500)


@AT_EACH
def test_zoom_flattens_a_slope_by_the_mean_of_its_magnifications(severity):
    images = ramp(1, 9, 41) - 20 / 41
    factors = np.linspace(1, (1.10, 1.15, 1.20, 1.25, 1.30)[severity - 1], 11)
    expected = images * np.mean(1 / factors)
    np.testing.assert_allclose(applied("zoom_blur", images, severity), expected, atol=1e-12)


@AT_EACH
def test_brightness_is_value_as_colorsys_has_it(severity):
    x = rough(1, 12, 12, 3)
    x[0, 0], x[0, 1, :, 1:], x[0, 2] = 0, 0, x[0, 2, :, :1]
    found = applied("brightness", x, severity)
    for row, column in np.ndindex(12, 12):
        hue, saturation, value = colorsys.rgb_to_hsv(*x[0, row, column])
        expected = colorsys.hsv_to_rgb(hue, saturation, min(1, value + severity / 10))
        np.testing.assert_allclose(found[0, row, column], expected, atol=1e-12)
    grey = rough(3, 8, 8, 1)
    expected = np.minimum(grey + severity / 10, 1)
    np.testing.assert_allclose(applied("brightness", grey, severity), expected, atol=1e-12)


def test_what_rounding_leaves_of_black_has_no_hue():
    x = np.zeros((1, 1, 1, 3))
    x[..., 0] = 1e-9
    np.testing.assert_allclose(applied("brightness", x, 3), 0.3, atol=1e-6)


@AT_EACH
def test_contrast_is_about_the_mean_of_each_channel(severity):
    x = rough(4, 9, 7, 3)
    found = applied("contrast", x, severity)
    np.testing.assert_allclose(found.mean(axis=(1, 2)), x.mean(axis=(1, 2)))
    left = (0.4, 0.3, 0.2, 0.1, 0.05)[severity - 1]
    np.testing.assert_allclose(found.std(axis=(1, 2)), left * x.std(axis=(1, 2)))


@pytest.mark.parametrize(("severity", "block"), [(2, 2), (5, 4)])
def test_pixelate_shows_means_of_blocks(severity, block):
    x = rough(2, 16, 24, 3)
    means = x.reshape(2, 16 // block, block, 24 // block, block, 3).mean(axis=(2, 4))
    expected = means.repeat(block, axis=1).repeat(block, axis=2)
    np.testing.assert_allclose(applied("pixelate", x, severity), expected, atol=1e-12)


@AT_EACH
@pytest.mark.parametrize(("height", "width"), [(8, 8), (28, 28), (45, 31)])
def test_resize_is_by_means_and_back_as_pillow_does(severity, height, width):
    image = pytest.importorskip("PIL.Image")
    x = rough(1, height, width, 1)
    share = (720, 480, 360, 240, 144)[severity - 1] / 1080
    tall, wide = max(1, round(height * share)), max(1, round(width * share))
    # Each pixel in so many parts that smaller pixels are made of whole ones.
    parts = x[0, ..., 0].repeat(tall, axis=0).repeat(wide, axis=1)
    small = parts.reshape(tall, height, wide, width).mean(axis=(1, 3)).astype(np.float32)
    back = image.fromarray(small).resize((width, height), image.Resampling.BILINEAR)
    found = applied("resize", x, severity)[0, ..., 0]
    np.testing.assert_allclose(found, np.asarray(back), atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("block", [4, 8])
def test_the_finest_steps_reproduce_an_image(channels, block):
    x = rough(3, 21, 10, channels)
    np.testing.assert_allclose(quantised(x, 1e-9, block), x, atol=1e-7)


@pytest.mark.parametrize("block", [4, 8])
def test_cosines_of_blocks_are_multiples_of_the_step_and_near(block):
    x = rough(2, 16, 24, 1)
    found = quantised(x, 0.1, block)
    for part in np.ndindex(16 // block, 24 // block):
        rows, columns = (slice(at * block, at * block + block) for at in part)
        for image, before in zip(found[:, rows, columns, 0], x[:, rows, columns, 0], strict=True):
            steps = fft.dctn(image, norm="ortho") / 0.1
            np.testing.assert_allclose(steps, np.rint(steps), atol=1e-9)
            off = fft.dctn(before, norm="ortho") / 0.1 - steps
            assert np.abs(off).max() <= 0.5 + 1e-9


@AT_EACH
def test_blocks_keep_grey_grey(severity):
    x = np.repeat(rough(1, 70, 66, 1), 3, axis=-1)
    found = applied("block_compression", x, severity)
    np.testing.assert_allclose(found, np.repeat(found[..., :1], 3, axis=-1), atol=1e-12)


@AT_EACH
def test_jpeg_is_what_pillow_reads_back(severity, tmp_path):
    image = pytest.importorskip("PIL.Image")
    quality = (25, 18, 15, 10, 7)[severity - 1]
    pixels = np.rint(255 * rough(1, 20, 12, 3)).astype(np.uint8)
    for one, found in (
        (pixels[0], applied("jpeg_compression", pixels / 255, severity)[0]),
        (
            pixels[0, ..., 0],
            applied("jpeg_compression", pixels[..., :1] / 255, severity)[0, ..., 0],
        ),
    ):
        image.fromarray(one).save(tmp_path / "one.jpg", quality=quality)
        with image.open(tmp_path / "one.jpg") as read:
            np.testing.assert_array_equal(np.rint(255 * found), np.asarray(read))


@AT_EACH
@pytest.mark.parametrize("side", [8, 28, 40])
def test_as_much_snow_falls_as_the_normal_density_says(severity, side):
    mean, least, kept = (
        (0.1, 0.5, 0.8),
        (0.2, 0.5, 0.7),
        (0.55, 0.9, 0.65),
        (0.55, 0.85, 0.6),
        (0.55, 0.85, 0.55),
    )[severity - 1]
    black = np.zeros((300, side, side, 1))
    each = applied("snow", black, severity).mean(axis=(1, 2, 3))
    flake = stats.norm(mean, 0.2).expect(lambda z: min(z, 1), lb=least)
    error = each.std() / math.sqrt(len(each))
    assert abs(each.mean() - 0.5 * (1 - kept) - 2 * flake) < SURE * error


def test_frost_grows_in_its_places_and_leaves_white_white():
    black, white = np.zeros((3, 28, 28, 1)), np.ones((3, 28, 28, 1))
    weakest = applied("frost", black, 1)
    for severity, strength in zip(SEVERITIES, (0.4, 0.6, 0.7, 0.8, 0.9), strict=True):
        found = applied("frost", black, severity)
        np.testing.assert_allclose(found, weakest * strength / 0.4, atol=1e-12)
        assert found.max() <= strength
        np.testing.assert_allclose(applied("frost", white, severity), 1, atol=1e-12)


@AT_EACH
def test_fog_reaches_from_the_dimmed_image_to_its_largest_number(severity):
    thick = (1.5, 2, 2.5, 2.75, 3)[severity - 1]
    found = applied("fog", np.full((4, 28, 20, 1), 0.6), severity)
    np.testing.assert_allclose(found.min(axis=(1, 2, 3)), 0.36 / (0.6 + thick))
    np.testing.assert_allclose(found.max(axis=(1, 2, 3)), 0.6)


@AT_EACH
def test_a_subtitle_darkens_its_band_and_nothing_else(severity):
    share, dark = ((0.10, 0.4), (0.14, 0.5), (0.18, 0.6), (0.24, 0.7), (0.30, 0.8))[severity - 1]
    grey = np.full((2, 200, 300, 3), 0.5)
    found = applied("subtitle", grey, severity)
    top, bottom = round(190 - share * 200), 190
    assert (found[:, :top] == 0.5).all()
    assert (found[:, bottom:] == 0.5).all()
    band = found[:, top:bottom]
    assert math.isclose(band.min(), 0.5 * (1 - dark))
    assert math.isclose(band.max(), 1)
    # Nothing is written into the first and the last seventh of the band.
    np.testing.assert_allclose(band[:, :2], 0.5 * (1 - dark))
    assert (found[0] != found[1]).any()


@pytest.mark.slow
def test_the_mean_error_of_a_network_rises_with_severity():
    pytest.importorskip("torch")
    pytest.importorskip("PIL")
    model, (x, labels) = TorchModel(network(), SPEC, device="cpu"), held_out()
    common = [one for one in corruptions().values() if one.common]
    errors = [
        np.mean(
            [
                model.predict(corrupted(one, x, SPEC, severity, streams(len(x)))) != labels
                for one in common
            ],
            axis=0,
        )
        for severity in (0, *SEVERITIES)
    ]
    # The same examples at every severity: a difference is a mean of 300 differences.
    rises = np.diff(errors, axis=0)
    sampling = rises.std(axis=1) / math.sqrt(len(labels))
    assert (rises.mean(axis=1) > -2 * sampling).all()
    assert (errors[5] - errors[1]).mean() > SURE * (errors[5] - errors[1]).std() / math.sqrt(300)
