from decimal import Decimal
from enum import Enum
from uuid import UUID, uuid5, NAMESPACE_DNS

from fastapi import APIRouter, HTTPException
from pydantic import AnyUrl, BaseModel, EmailStr, Field, IPvAnyAddress, field_validator

from ..store import add, notes

router = APIRouter(prefix="/notes")


class Kind(str, Enum):
    short = "short"
    long = "long"


class NewNote(BaseModel):
    text: str = Field(min_length=1, max_length=200)
    kind: Kind = Kind.short
    author: EmailStr | None = None
    link: AnyUrl | None = None
    address: IPvAnyAddress | None = None
    price: Decimal | None = Field(None, max_digits=5, decimal_places=2)

    @field_validator("text")
    @classmethod
    def no_shouting(cls, value):
        if value.isupper():
            raise ValueError("no shouting")
        return value


@router.get("/")
async def all_notes():
    return [{"id": note.id, "text": note.text} for note in await notes()]


@router.post("/", status_code=201)
async def new_note(note: NewNote):
    made = await add(note.text)
    return {"id": made.id, "uuid": uuid5(NAMESPACE_DNS, note.text), **note.model_dump(mode="json", exclude_none=True)}


@router.get("/by/{key}")
async def by(key: UUID):
    raise HTTPException(404, f"no note {key}")


@router.get("/ratio/{a}/{b}")
async def ratio(a: int, b: int):
    return a / b
