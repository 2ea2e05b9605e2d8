"""Which readings count: docs/formats/transcript.md, "R0 Standing". Commissionings of a revenue meter and what ends them."""

from dataclasses import dataclass, field

from transcripts import Commissioning, Inputs, Meter, Point, Read, Reading

MODEL, FIRMWARE = 1, 3
DEVICE = ["IDENTITY", "NOT_BILLING_GRADE", "DEVICE_CHANGED", "DEVICE_UNFIT", "SERIAL_TWICE", "NOT_COMMISSIONED"]
LEFT_OUT = "BEFORE_COMMISSIONING"


@dataclass
class Epoch:
    """From one commissioning to the next."""

    told: Commissioning
    begins: int
    ordinal: int
    texts: dict[int, tuple[int, str]] = field(default_factory=dict)
    ends: int | None = None
    is_troubled: bool = False


@dataclass
class Standing:
    """What becomes of each good reading of one meter: the number of its commissioning, or a finding, or nothing."""

    ordinals: dict[int, int] = field(default_factory=dict)
    remarks: list[tuple[str, int]] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)

    def left_out(self) -> list[tuple[float, int]]:
        """Time [from, to) in which nothing counts, though the meter was commissioned after it."""
        found: list[tuple[float, int]] = []
        if self.epochs and self.epochs[0].ordinal > 0:
            found.append((float("-inf"), self.epochs[0].begins))
        for epoch, after in zip(self.epochs, self.epochs[1:]):
            if epoch.ends is not None and epoch.ends < after.begins:
                found.append((epoch.ends, after.begins))
        return found

    def in_force(self, instant: int) -> list[object] | None:
        """Trailer 9 of the meter."""
        epoch = next((epoch for epoch in reversed(self.epochs) if epoch.begins <= instant), None)
        if epoch is None:
            return None
        texts = [[role, text] for role, (heard, text) in sorted(epoch.texts.items()) if heard <= instant]
        return [*epoch.told.item(), texts]


def standing(inputs: Inputs, point: Point, meter: Meter, settled_from: int) -> Standing:
    """Keys of `ordinals` are places in the metering point's readings."""
    made = Standing()
    is_revenue = meter.id == point.revenue
    if is_revenue:
        made.epochs = _epochs(inputs, point, meter, settled_from)
    current = -1
    for place, reading in enumerate(inputs.readings.get(point.id, [])):
        if reading.status != 0 or reading.read.meter != meter.id:
            continue
        if not is_revenue:
            _check(inputs, meter, made, place, reading)
            continue
        while current + 1 < len(made.epochs) and made.epochs[current + 1].begins <= reading.time:
            current += 1
        _judge(inputs, meter, made, current, place, reading)
    return made


def _epochs(inputs: Inputs, point: Point, meter: Meter, settled_from: int) -> list[Epoch]:
    epochs = []
    if meter.id in inputs.commissioned:
        told, texts = inputs.commissioned[meter.id]
        epochs.append(Epoch(told, told.time, 0, {role: (told.time, text) for role, text in texts.items()}))
    is_opened = any((opening.point, opening.meter) == (point.id, meter.id) for opening in inputs.openings)
    known = bool(epochs) or is_opened
    for told in inputs.commissionings.get(meter.id, []):
        if told.serial == meter.serial:
            begins = max(told.time, settled_from) if known else told.time
            epochs.append(Epoch(told, begins, epochs[-1].ordinal + 1 if epochs else 1))
    for time in inputs.claims.get(meter.id, []):
        before = [epoch for epoch in epochs if epoch.told.time < time]
        if before and before[-1].ends is None:
            before[-1].ends = max(time, settled_from)
    return epochs


def _told(read: Read) -> list[tuple[int, str]]:
    return [(role, text) for role, text in ((MODEL, read.model), (FIRMWARE, read.firmware)) if text]


def _texts(inputs: Inputs, reading: Reading) -> list[tuple[int, str]]:
    """What the device says of itself: model and firmware from its birth, its setup from the words."""
    read = reading.read
    heard = inputs.profiles[read.profile].texts(read.request, read.chain, reading.words)
    return _told(read) + [(role, text) for role, text in heard if role > FIRMWARE and text]


def _is_fit(inputs: Inputs, meter: Meter, reading: Reading) -> bool:
    profile, read = inputs.profiles[reading.read.profile], reading.read
    if not profile.is_of_family(meter.profile) or read.firmware and not profile.covers(read.firmware):
        return False
    return all(profile.expects(role, text) for role, text in _texts(inputs, reading))


def _tells_serial(inputs: Inputs, reading: Reading) -> bool:
    return 2 in inputs.profiles[reading.read.profile].identity


def _check(inputs: Inputs, meter: Meter, made: Standing, place: int, reading: Reading) -> None:
    """A check meter's reading."""
    serial = reading.read.serial
    if serial and serial != meter.serial:
        made.remarks.append(("IDENTITY", reading.time))
    elif serial != meter.serial and _tells_serial(inputs, reading):
        return
    elif not _is_fit(inputs, meter, reading):
        made.remarks.append(("DEVICE_UNFIT", reading.time))
    else:
        made.ordinals[place] = 0


def _trouble(inputs: Inputs, meter: Meter, epoch: Epoch, is_last: bool, reading: Reading) -> str | None:
    read = reading.read
    if read.serial and read.serial != epoch.told.serial:
        return "IDENTITY"
    if is_last and reading.time > inputs.header[1] and epoch.told.serial != meter.serial:
        return "IDENTITY"
    known = epoch.texts
    if read.profile != epoch.told.profile or any(
        role in known and known[role][1] != text for role, text in _texts(inputs, reading)
    ):
        return "DEVICE_CHANGED"
    if not _is_fit(inputs, meter, reading):
        return "DEVICE_UNFIT"
    return None if is_last or inputs.is_billing_grade(read.profile) else "NOT_BILLING_GRADE"


def _judge(inputs: Inputs, meter: Meter, made: Standing, current: int, place: int, reading: Reading) -> None:
    """A revenue meter's reading under the commissioning with that place in the list, -1: before the first."""

    def out(finding: str) -> None:
        made.remarks.append((finding if current == len(made.epochs) - 1 else LEFT_OUT, reading.time))

    if current < 0:
        return out("NOT_COMMISSIONED")
    epoch = made.epochs[current]
    if not epoch.is_troubled and epoch.ends is not None and epoch.ends <= reading.time:
        return out("SERIAL_TWICE")
    trouble = _trouble(inputs, meter, epoch, current == len(made.epochs) - 1, reading)
    if trouble is not None:
        epoch.ends = reading.time if epoch.ends is None else min(epoch.ends, reading.time)
        epoch.is_troubled = True
    if epoch.is_troubled:
        return out(trouble or "NOT_COMMISSIONED")
    if not reading.read.serial and _tells_serial(inputs, reading):
        return None
    for role, text in _texts(inputs, reading):
        epoch.texts.setdefault(role, (reading.time, text))
    made.ordinals[place] = epoch.ordinal
    if not inputs.is_billing_grade(reading.read.profile):
        made.remarks.append(("NOT_BILLING_GRADE", reading.time))
    return None
