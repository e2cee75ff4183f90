"""Data forms (XEP-0004), as far as a server offers, sends and reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cluster.xmpp.element import Element, SubElement

DATA = "jabber:x:data"
Values = Mapping[str, list[str]]
"""The values of each field."""
_FIELD, _VALUE = f"{{{DATA}}}field", f"{{{DATA}}}value"


def new(kind: str, form_type: str, hint: str = "") -> Element:
    """A `form` or a `result` of this `form_type` (XEP-0068); `hint`: a text for people at the top."""
    form = Element(f"{{{DATA}}}x", type=kind)
    if hint:
        SubElement(form, f"{{{DATA}}}instructions").text = hint
    add(form, "FORM_TYPE", "hidden", [form_type])
    return form


def add(form: Element, name: str, kind: str = "", values: Sequence[str] = (), label: str = "") -> Element:
    """Add a field and return it; `kind`: its type, such as `text-single`, if it has one."""
    attributes = {"var": name, **({"type": kind} if kind else {}), **({"label": label} if label else {})}
    field = SubElement(form, _FIELD, attributes)
    for value in values:
        SubElement(field, _VALUE).text = value
    return field


def values(form: Element) -> Values:
    """The values of each field, FORM_TYPE among them."""
    return {
        field.get("var", ""): [value.text or "" for value in field.findall(_VALUE)] for field in form.findall(_FIELD)
    }


def is_true(values: Sequence[str] | None) -> bool:
    """What a field of type `boolean` says (section 3.3); none is false."""
    return values is not None and len(values) > 0 and values[0].strip() in ("1", "true")
