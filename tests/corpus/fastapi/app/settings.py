from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    title: str = "Notes"
    secret: str = "change me"
    database: str = "sqlite+aiosqlite:////tmp/notes.db"


settings = Settings()
