"""What sites allow machines to ask (RFC 9309), read by Protego."""

from dataclasses import dataclass, field

from protego import Protego

from blip_core.gathering.fetching import ROBOT, Answer
from blip_core.gathering.hosts import Address
from blip_core.gathering.refused import Refused
from blip_core.gathering.visits import Visits

MAX_BYTES = 512_000  # RFC 9309, section 2.5: at least 500 KiB are read
_AGENTS_NOT_WANTED = frozenset({"noindex", "none", "noimageindex", "noai", "noimageai"})
_LINKS_NOT_WANTED = frozenset({"nofollow", "none"})
_NOWHERE = frozenset({"private-address", "unknown-host", "host-not-allowed"})  # nothing else is there either
_ABSENT = range(400, 500)  # of statuses: section 2.3.1.3, all may be asked


@dataclass
class Robots:
    """What each site allows; its robots.txt is asked for once."""

    visits: Visits
    _rules: dict[str, Protego] = field(default_factory=dict, repr=False)

    def may(self, address: Address) -> float:
        """Seconds to keep between requests to a site, if an address of it may be asked.

        Raises:
            Refused: The site forbids it (`robots`), wants longer pauses than are kept (`robots-pause`), or
                cannot say (`robots-away`: all is forbidden then, section 2.3.1.4).
        """
        rules = self._rules_of(address)
        if not rules.can_fetch(str(address), ROBOT):
            raise Refused("robots", f"robots.txt of {address.site} forbids it")
        limits = self.visits.web.limits
        pause = max(float(rules.crawl_delay(ROBOT) or 0.0), limits.pause_seconds)
        if pause > limits.longest_pause_seconds:
            raise Refused("robots-pause", f"{address.site} asks for pauses of {pause:g} s")
        return pause

    def _rules_of(self, address: Address) -> Protego:
        site = f"{address.scheme}://{address.site}"
        if site not in self._rules:
            self._rules[site] = Protego.parse(self._text_of(address.robots))
        return self._rules[site]

    def _text_of(self, robots: Address) -> str:
        try:
            answer = self.visits.get(robots, MAX_BYTES, ("",), lambda _: self.visits.web.limits.pause_seconds)
        except Refused as refused:
            if refused.reason in _NOWHERE:
                raise
            status = refused.reason.removeprefix("status-")
            if status.isdecimal() and int(status) in _ABSENT and not refused.passing:
                return ""
            raise Refused("robots-away", f"{robots} cannot be read: {refused}", refused.passing) from refused
        return answer.content.decode("utf-8", "replace")


def unwanted(answer: Answer, told: str) -> tuple[bool, bool]:
    """Whether a page asks that its pictures not be taken, and that its links not be followed.

    Args:
        answer: whose header `X-Robots-Tag` may say so.
        told: what its `<meta name="robots">` say.
    """
    words = {
        one.strip().lower()
        for text in (told, answer.headers.get("x-robots-tag", ""))
        for one in text.split(",")
    }
    return bool(words & _AGENTS_NOT_WANTED), bool(words & _LINKS_NOT_WANTED)
