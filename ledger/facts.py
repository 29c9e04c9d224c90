"""What events are made of."""

import msgspec


class Fact(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What events are made of; defaults are left out of the stored JSON.

    A default is left out only where the value is that very object, so every default is one of which there is only one:
    None, False, 0, "", () or a member of an enumeration. Otherwise equal events could be stored as different bytes.
    """
