"""Other people's Modbus servers, for tests: pymodbus serves the words that a test put in, over TCP, RTU over TCP and a pty.

Knows no profile and decodes nothing. What a slave was asked stands in its `asked`, and in the file that KILOMINT_WIRE names.
"""

import asyncio
import os
import pty
import select
import threading
import tty
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.pdu.device import ModbusDeviceIdentification
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

# Called with function, first register and number of registers; it may change the words that are answered, wait, or refuse.
Act = Callable[["Slave", int, int, int], Awaitable[ExcCodes | None]]


@dataclass
class Slave:
    """One unit: its holding and its input registers, by address from 0. Any other register is exception 2."""

    unit: int = 1
    holding: dict[int, int] = field(default_factory=dict)
    input: dict[int, int] = field(default_factory=dict)
    act: Act | None = None
    asked: list[tuple[int, int, int]] = field(default_factory=list)

    def put(self, address: int, words: list[int], function: int = 3) -> None:
        for place, word in enumerate(words, address):
            (self.holding if function == 3 else self.input)[place] = word

    async def _action(
        self, function: int, start: int, address: int, count: int, registers: list[int], values: Any
    ) -> ExcCodes | None:
        self.asked.append((function, address, count))
        remember(self.unit, function)
        if self.act and (refusal := await self.act(self, function, address, count)):
            return refusal
        words = self.holding if function == 3 else self.input
        for place in range(address, address + count):
            registers[place - start] = words[place]
        return None

    def simulated(self) -> SimDevice:
        none = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
        blocks = [none, list(none), blocks_of(self.holding), blocks_of(self.input)]
        return SimDevice(id=self.unit, simdata=tuple(blocks), action=self._action)


def blocks_of(words: dict[int, int]) -> list[SimData]:
    """Neighbouring registers as one block each. pymodbus wants at least one."""
    runs: list[tuple[int, list[int]]] = []
    for address in sorted(words):
        if runs and runs[-1][0] + len(runs[-1][1]) == address:
            runs[-1][1].append(words[address])
        else:
            runs.append((address, [words[address]]))
    found = [SimData(address, values=run, datatype=DataType.REGISTERS) for address, run in runs]
    return found or [SimData(65_535, values=[0], datatype=DataType.REGISTERS)]


def remember(unit: int, function: int) -> None:
    """For the last step of Tests/run: no agent sends another function than the four."""
    if path := os.environ.get("KILOMINT_WIRE"):
        with open(path, "a") as record:
            record.write(f"{unit},{function},{'-' if function == 43 else 0}\n")


class Servers:
    """An event loop on a thread of its own, with servers on ports that the kernel chose."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.servers: list[Any] = []
        self.cables: list[Cable] = []

    def __enter__(self) -> "Servers":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            self._run(server.shutdown())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        for cable in self.cables:
            cable.close()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def tcp(self, *slaves: Slave, framer: FramerType = FramerType.SOCKET, said: dict[str, str] | None = None) -> int:
        """The port. `framer` RTU: a serial server that passes frames through a TCP port."""
        identity = ModbusDeviceIdentification(info_name=said) if said else None

        async def start() -> int:
            devices = [slave.simulated() for slave in slaves]
            server = ModbusTcpServer(devices, framer=framer, address=("127.0.0.1", 0), identity=identity)
            self.servers.append(server)
            await server.serve_forever(background=True)
            return int(server.transport.sockets[0].getsockname()[1])

        return int(self._run(start()))

    def rtu_tcp(self, *slaves: Slave) -> int:
        return self.tcp(*slaves, framer=FramerType.RTU)

    def serial(self, *slaves: Slave) -> str:
        """The device that an agent opens: the other end of a cable to pymodbus' serial server."""
        cable = Cable()
        self.cables.append(cable)

        async def start() -> None:
            devices = [slave.simulated() for slave in slaves]
            server = ModbusSerialServer(devices, framer=FramerType.RTU, port=cable.ends[0], baudrate=19_200)
            self.servers.append(server)
            await server.serve_forever(background=True)

        self._run(start())
        return cable.ends[1]


class Cable:
    """Two pseudo terminals whose other sides are joined: what is written to one end is read from the other.

    Not joined: whoever has a master reads and writes it."""

    def __init__(self, is_joined: bool = True) -> None:
        pairs = [pty.openpty() for _ in range(2)]
        self.masters = [master for master, _ in pairs]
        self.slaves = [slave for _, slave in pairs]
        self.ends = [os.ttyname(slave) for slave in self.slaves]
        for slave in self.slaves:
            tty.setraw(slave)
        self.is_open = is_joined
        self.thread = threading.Thread(target=self._carry, daemon=True)
        self.thread.start()

    def _carry(self) -> None:
        other = {self.masters[0]: self.masters[1], self.masters[1]: self.masters[0]}
        while self.is_open:
            for end in select.select(self.masters, [], [], 0.1)[0]:
                try:
                    os.write(other[end], os.read(end, 4_096))
                except OSError:
                    return

    def close(self) -> None:
        self.is_open = False
        self.thread.join(2)
        for descriptor in self.masters + self.slaves:
            os.close(descriptor)
