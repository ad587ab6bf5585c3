"""The nearest RNI desks to a place name, a postcode or a shared position."""

from __future__ import annotations

from typing import Any

from actions.clarify import LOST_BEFORE_HELP
from actions.context import Context, ReplyAction
from actions.reply import ContactCard, Link, Reply
from knowledge import places
from knowledge.formats import distance
from knowledge.places import NearbyDesk, Place


class ActionDesks(ReplyAction):
    """Asks where the person is, or shows the three nearest desks."""

    action_name = "action_desks"

    def reply(self, context: Context) -> tuple[Reply, dict[str, Any]]:
        """A position beats a name; a text that names no place gets a question, not a guess."""
        place = _shared_position(context) or places.find(context.text, context.content.postcode_regions)
        if place is None:
            was_asked = bool(context.text) and context.tracker.get_slot("asked") == "desks"
            lost = int(context.tracker.get_slot("lost") or 0) + 1 if was_asked else 0
            reply = Reply(
                language=context.language,
                text=context.phrases["desks.not_found" if was_asked else "desks.ask"],
                asks_location=True,
                buttons=(context.button("menu"),),
            )
            # Whoever was not understood twice is not asked a third time.
            return reply, {"asked": "desks" if lost < LOST_BEFORE_HELP else None, "lost": lost}
        nearest = places.nearest_desks(context.content.desks, place)
        reply = Reply(
            language=context.language,
            text=context.phrases["desks.found"].format(place=place.name),
            contacts=tuple(_card(context, nearby) for nearby in nearest),
            links=tuple(
                Link(
                    label=f"{context.phrases['desks.map']}: {nearby.desk.municipality}",
                    url=places.map_link(nearby.desk),
                )
                for nearby in nearest
            ),
            buttons=(context.button("menu"),),
        )
        return reply, {"asked": None, "lost": 0, "topic": next(iter(context.content.desks_topics), None)}


def _shared_position(context: Context) -> Place | None:
    try:
        lat, lon = float(context.entity("latitude") or ""), float(context.entity("longitude") or "")
    except ValueError:
        return None
    return Place(context.phrases["desks.here"], lat, lon) if -90 <= lat <= 90 and -180 <= lon <= 180 else None


def _card(context: Context, nearby: NearbyDesk) -> ContactCard:
    desk = nearby.desk
    where = context.phrases["desks.desk"].format(
        municipality=desk.municipality, distance=distance(nearby.kilometres, context.language)
    )
    return ContactCard(
        name=where,
        what_for=f"{desk.office}, {desk.street_address}, {desk.postcode} {desk.city}",
        phone=desk.phone.split(";")[0].strip(),
        url=desk.url,
    )
