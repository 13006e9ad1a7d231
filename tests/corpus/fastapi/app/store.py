from sqlalchemy import String, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from .settings import settings

engine = create_async_engine(settings.database)
Session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(200))


async def prepare():
    from sqlalchemy.exc import OperationalError

    try:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
    except OperationalError:
        pass


async def notes():
    async with Session() as session:
        return list(await session.scalars(select(Note).order_by(Note.id)))


async def add(text):
    async with Session.begin() as session:
        note = Note(text=text)
        session.add(note)
    return note
