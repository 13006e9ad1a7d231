from fastapi import APIRouter, Depends, HTTPException
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm

from ..settings import settings

router = APIRouter()
bearer = OAuth2PasswordBearer(tokenUrl="token")


@router.post("/token")
async def token(form: OAuth2PasswordRequestForm = Depends()):
    import jwt
    from passlib.context import CryptContext

    context = CryptContext(schemes=["bcrypt", "argon2", "sha256_crypt"], bcrypt__rounds=4)
    users = {"alice": context.hash("wonder"), "bob": context.hash("builder", scheme="sha256_crypt")}
    if form.username not in users or not context.verify(form.password, users[form.username]):
        raise HTTPException(401, "no")
    return {"access_token": jwt.encode({"sub": form.username}, settings.secret, "HS512"), "token_type": "bearer"}


@router.get("/me")
async def me(token: str = Depends(bearer)):
    import jwt

    try:
        return jwt.decode(token, settings.secret, ["HS512"])
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, str(error)) from None
