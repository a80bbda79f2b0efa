"""Typed, frozen settings whose errors name the knob that is wrong."""

from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from contraview.core.errors import InputError

_LARGEST: Final = 1 << 40

C = TypeVar("C", bound="Config")


class Config(BaseModel):
    """Settings of one thing. Frozen; unknown keys are refused; every field describes itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _within_reach(cls, value: Any) -> Any:
        """No whole number is larger than those that arrays are counted with."""
        for each in value if isinstance(value, tuple | list) else (value,):
            if isinstance(each, int) and abs(each) > _LARGEST:
                raise ValueError(f"expected a whole number of at most {_LARGEST:,}")
        return value

    @classmethod
    def of(cls: type[C], **values: Any) -> C:
        """The settings with ``values``; an `InputError` of one line where one does not fit."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise InputError(f"{cls.__qualname__}: {complaint(error)}") from None


def complaint(error: ValidationError) -> str:
    """What is wrong with the first setting that does not fit, in one line."""
    first = error.errors(include_url=False)[0]
    knob = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"no setting {knob!r}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{knob}={first['input']!r}: {message}" if knob else message
