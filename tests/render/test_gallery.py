"""Pictures in reports: only where they are asked for, told apart, bounded, never in evidence."""

from __future__ import annotations

import base64
import io
import re
import zipfile

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.models.function import linear
from evenhand.models.spec import Spec
from evenhand.render.gallery import gallery_of, pictures_beside

pytest.importorskip("PIL", reason="Pillow is not installed")

SPEC = Spec(labels=("dark", "light"), shape=(6, 6), layout="HW")


def probed(out, written="attack.pgd(eps=[0.05, 0.2], steps=3)", **how):
    model = linear(np.vstack([np.zeros(36), np.ones(36)]), np.array([0.0, -18.0]), SPEC)
    x = np.random.default_rng(3).random((120, 6, 6))
    labels = np.where(x.sum(axis=(1, 2)) > 18, "light", "dark")
    groups = {"side": ["left", "right"] * 60}
    return eh.probe(model, x, written, labels=labels, groups=groups, out=out, flags=False, **how)


def plan_of(path):
    slices = ["variant == 'linf 0.05'", "variant == 'linf 0.2'"]
    return {
        "evenhand": 1,
        "log": {"source": str(path), "kind": "perturbed"},
        "groups": {"side": "side"},
        "measures": [{"measure": "robust_accuracy", "slices": slices}],
    }


def test_report_shows_them_where_it_is_asked_to_and_evidence_never(tmp_path):
    log = tmp_path / "attacked.parquet"
    probed(log)
    shown, plain, out = (tmp_path / name for name in ("a.html", "b.html", "c.evidence.zip"))
    eh.audit(plan_of(log), html=plain)
    eh.audit(plan_of(log), html=shown, out=out, pictures=True)
    page = shown.read_text()
    assert page.count("data:image/png") == 2 * 12 * 3
    assert "img-src data:" in page
    assert "Some of the examples" in page
    for text in ("data:image/png", "img-src", "Some of the examples"):
        assert text not in plain.read_text()
    with zipfile.ZipFile(out) as evidence:
        assert all(b"PNG" not in evidence.read(name) for name in evidence.namelist())


def test_picture_is_the_image_and_its_change(tmp_path):
    log = tmp_path / "attacked.parquet"
    probed(log)
    (side,) = pictures_beside([log])
    from PIL import Image

    first, row = gallery_of([side]).strips[0].pictures[0], pl.read_parquet(side).row(0, named=True)

    def opened(address):
        data = base64.b64decode(address.removeprefix("data:image/png;base64,"))
        return np.asarray(Image.open(io.BytesIO(data)))

    clean = np.frombuffer(row["clean"], np.uint8).reshape(6, 6)
    changed = np.frombuffer(row["changed"], np.uint8).reshape(6, 6)
    assert (opened(first.clean) == clean).all()
    assert (opened(first.changed) == changed).all()
    moved = changed.astype(int) - clean
    assert (np.sign(opened(first.change).astype(int) - 128) == np.sign(moved)).all()
    assert first.label == row["label"]
    assert first.group == row["group"]
    assert first.outcome in {"broken", "still right"}
    assert (first.outcome == "broken") == (row["said"] != row["label"])


def test_of_many_variants_the_strongest_of_each_kind_are_shown_in_brief(tmp_path):
    log = tmp_path / "corrupted.parquet"
    probed(log, "corrupt.common(severity=[1, 2, 5])", believe=True)
    found = gallery_of(pictures_beside([log]))
    assert len(found.strips) == 15
    assert all(strip.variant.endswith(" 5") for strip in found.strips)
    assert all(len(strip.pictures) == 4 for strip in found.strips)
    assert "30 more variants" in found.left


@pytest.mark.parametrize("content", [b"", b"no Parquet", None])
def test_what_cannot_be_read_shows_nothing(tmp_path, content):
    path = tmp_path / "x.pictures.parquet"
    if content is None:
        pl.DataFrame({"source": [1]}).write_parquet(path)
    else:
        path.write_bytes(content)
    assert gallery_of([path]).strips == ()


def test_examples_of_variants_that_were_not_audited_are_not_shown(tmp_path):
    log = tmp_path / "attacked.parquet"
    probed(log)
    plan = plan_of(log)
    plan["measures"][0]["slices"] = ["variant == 'linf 0.2'"]
    eh.audit(plan, html=tmp_path / "a.html", pictures=True)
    page = (tmp_path / "a.html").read_text()
    assert page.count("data:image/png") == 12 * 3
    assert "more variants" not in page
    every = gallery_of(pictures_beside([log]))
    assert [one.variant for one in every.strips] == ["linf 0.05", "linf 0.2"]


def test_what_is_said_of_one_map_is_no_more_than_is_known(tmp_path):
    log = tmp_path / "attributed.parquet"
    probed(log, "attribute.gradient(fill=low)", pictures=6)
    plan = {"evenhand": 1, "log": {"source": str(log), "kind": "attributions"}}
    eh.audit(plan, html=tmp_path / "a.html", pictures=True)
    page = (tmp_path / "a.html").read_text()
    assert "beats chance" not in page
    assert "of maps of noise a quarter to a half do so too" in page
    assert re.search("<b>(not )?above random orders</b>", page)


def test_an_explanation_is_shown_in_two_colours_beside_its_card(tmp_path):
    log = tmp_path / "attributed.parquet"
    found = probed(log, "attribute.gradient_x_input(fill=low)", pictures=6)
    (strip,) = gallery_of(pictures_beside([log])).strips
    rows = found.source.frame.collect().to_native()
    assert strip.variant == "gradient_x_input low"
    assert not strip.pictures
    side = pl.read_parquet(pictures_beside([log])[0])
    for one, source in zip(strip.maps, side["source"], strict=True):
        row = rows.filter(pl.col("source") == source).row(0, named=True)
        comes = row["insertion"] > row["insertion_random"]
        faithful = comes and row["deletion"] < row["deletion_random"]
        assert one.outcome == ("above random orders" if faithful else "not above random orders")
        assert f"insertion {row['insertion']:.2f}" in one.figures
        # Every part speaks for "light", and so against "dark".
        parts = image_of(one.map).astype(int)
        red, blue = parts[..., 0], parts[..., 2]
        light = one.said == "light"
        assert (red >= blue).all() if light else (blue >= red).all()
        assert (red != blue).any()


def image_of(address):
    from PIL import Image

    data = base64.b64decode(address.split(",")[1])
    return np.asarray(Image.open(io.BytesIO(data)))
