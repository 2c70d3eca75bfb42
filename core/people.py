"""사람의 이름: who did something, as staff read it."""

from typing import Any


def named(user: Any) -> str:
    """누구: "이도윤 님", or "시스템" for what nobody pressed; both take the particles of a consonant (이, 을, 은)."""
    return f"{user.display_name} 님" if user else "시스템"
