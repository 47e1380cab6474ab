"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked: whether it is right, what was seen, and the mend when it is not."""

    subject: str
    right: bool
    seen: str
    mend: str = ""

    def __str__(self) -> str:
        mark = "ok   " if self.right else "WRONG"
        return f"{mark}  {self.subject:<12} {self.seen}" + (f" - {self.mend}" if self.mend and not self.right else "")
