"""The sections about images: their views, their neighbours, the map."""

from base64 import b64encode

from contraview.apps.report.contents import Contents
from contraview.apps.report.markup import Markup, tag
from contraview.apps.report.model_sections import figure, mapped, section
from contraview.apps.report.wording import count


def views(contents: Contents) -> Markup | None:
    """Some images and two views of each."""
    pictures = contents.pictures
    if pictures is None or pictures.views is None:
        return None
    caption = (
        "Images above, two views of each below, as the training draws them: what a view takes "
        "away, the embedding learns to ignore."
    )
    return section("views", "Views", figure(_picture(pictures.views, "images and views"), caption))


def neighbours(contents: Contents) -> Markup | None:
    """Some images, each with those nearest to it."""
    pictures = contents.pictures
    if pictures is None:
        return None
    caption = (
        f"On the left an image, then its nearest ones among {count(pictures.shown)} by the cosine "
        "of their embeddings, nearest first."
    )
    drawn = _picture(pictures.neighbours, "images and their nearest neighbours")
    return section("neighbours", "Nearest neighbours", figure(drawn, caption))


def embedding(contents: Contents) -> Markup | None:
    """The map of the embeddings."""
    pictures = contents.pictures
    if pictures is None:
        return None
    it = pictures.map
    caption = (
        f"Directions of the embeddings of {count(len(it.places))} images on their two principal "
        "axes. Classes, where known, only colour the map."
    )
    return mapped(it, caption)


def _picture(png: bytes, said: str) -> Markup:
    return tag("img", src=f"data:image/png;base64,{b64encode(png).decode()}", alt=said)
