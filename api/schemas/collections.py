"""Collections on the wire, in the shape that stock clients read and write."""

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from api.ids import has_control_characters

LONGEST_TITLE: Final = 200  # characters
LONGEST_DESCRIPTION: Final = 150  # as stock clients document it, like the next
LONGEST_NOTE: Final = 500
HIGHEST_POSITION: Final = 2**31 - 1

Theme: TypeAlias = Literal["orange", "blue", "green", "purple", "pink", "indigo"]
ItemType: TypeAlias = Literal["paper", "model", "dataset", "space", "collection", "bucket"]

EXAMPLE_ITEM: Final[dict[str, Any]] = {
    "_id": "00000000000000000000002a",
    "id": "2401.01234",
    "type": "paper",
    "position": 0,
    "note": {"text": "Read section 3."},
    "title": "A title",
    "publishedAt": "2024-01-03T18:00:00.000Z",
}
EXAMPLE_COLLECTION: Final[dict[str, Any]] = {
    "slug": "ada/recent-models-65a1f0c2b7d94e8812345678",
    "title": "Recent models",
    "description": "What we read this month.",
    "owner": "ada",
    "items": [EXAMPLE_ITEM],
    "lastUpdated": "2024-05-01T12:00:00.000Z",
    "position": 1,
    "private": False,
    "theme": "blue",
    "upvotes": 0,
}


def _storable(text: str) -> str:
    if has_control_characters(text.replace("\n", " ").replace("\t", " ")):
        raise ValueError("no control characters")
    return text


Storable = AfterValidator(_storable)
Title = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TITLE, strip_whitespace=True), Storable]
Description = Annotated[str, StringConstraints(max_length=LONGEST_DESCRIPTION, strip_whitespace=True), Storable]
Note = Annotated[str, StringConstraints(max_length=LONGEST_NOTE, strip_whitespace=True), Storable]
Position = Annotated[int, Field(ge=0, le=HIGHEST_POSITION, strict=True)]


class CollectionIn(BaseModel):
    """A collection to make."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "Recent models", "namespace": "ada"}]})

    title: Title
    namespace: str | None = Field(None, description="The reader's own name, which is also what is taken without it.")
    description: Description | None = None
    private: StrictBool = False
    theme: Theme = "orange"
    resource_group_id: str | None = Field(None, alias="resourceGroupId", description="There are none here: 400.")


class CollectionChanges(BaseModel):
    """What to change about a collection; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "Older models", "private": True}]})

    title: Title | None = None
    description: Description | None = None
    position: Position | None = Field(None, description="Its new place among the reader's collections, from 0.")
    private: StrictBool | None = None
    theme: Theme | None = None


class ItemName(BaseModel):
    """What is put into a collection."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=400)]
    type: ItemType


class ItemIn(BaseModel):
    """A paper to put into a collection."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"item": {"id": "2401.01234", "type": "paper"}}]})

    item: ItemName
    note: Note | None = None


class ItemChanges(BaseModel):
    """What to change about a paper in a collection; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"note": "Read section 3.", "position": 0}]})

    note: Note | None = Field(None, description="An empty text takes the note away.")
    position: Position | None = Field(None, description="Its new place in the collection, from 0.")


class ResourceGroupIn(BaseModel):
    """The resource group of a collection: there are none here, so that null alone is possible."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"resourceGroupId": None}]})

    resource_group_id: str | None = Field(None, alias="resourceGroupId")
