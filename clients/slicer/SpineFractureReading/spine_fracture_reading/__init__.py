"""What the module knows and does. Of all this, only :mod:`.scene` and :mod:`.panel` import Slicer and Qt."""
