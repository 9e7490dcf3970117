"""Image archives, as docker and kind read them."""

import json
import tarfile
from pathlib import Path

from lab.image import base
from lab.image.oci import Image, blob, write_archive


def test_an_image_with_several_names_is_one_entry_with_all_of_them(tmp_path: Path) -> None:
    image = Image("one", (blob(b"a layer"),), ("/bin/sh",))
    other = Image("other", (blob(b"a layer"),), ("/bin/true",))
    write_archive(tmp_path / "images.tar", {"one:1": image, "other:1": other, "one:2": image})
    with tarfile.open(tmp_path / "images.tar") as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest
        entries = json.load(manifest)
    assert [entry["RepoTags"] for entry in entries] == [["one:1", "one:2"], ["other:1"]]


def test_a_layer_that_is_kept_serves_every_checkout() -> None:
    assert str(Path(base.__file__).parent) not in base.identity()
