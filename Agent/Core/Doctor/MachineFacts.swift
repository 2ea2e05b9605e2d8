// What the doctor must know of the machine: serial devices, disk, clock, certificates. Values only: Agent/IO gathers
// them from /proc and /sys, tests write them down.

package import Quantities

/// A process that has to do with a serial line.
package struct LineHolder: Hashable, Sendable {
    package let pid: Int
    /// As /proc/PID/comm says it: at most 15 bytes.
    package let command: String
    /// A lock file names it, but nothing shows that it has the device open.
    package let isByLockFile: Bool

    package init(pid: Int, command: String, isByLockFile: Bool = false) {
        self.pid = pid
        self.command = command
        self.isByLockFile = isByLockFile
    }
}

/// One serial device of the configuration.
package struct TTYFacts: Hashable, Sendable {
    /// As configured, and where its links lead.
    package var device: String
    package var resolved: String
    package var isThere = true
    /// The user who asks may read and write it.
    package var isPermitted = true
    /// Group of the device and user who asks, as names or numbers.
    package var group = "dialout"
    package var user = "root"
    package var holders: [LineHolder] = []
    /// There are processes whose open files the user who asks may not see.
    package var hidesHolders = false
    /// The kernel's console is on it.
    package var isConsole = false
    /// Milliseconds a USB adapter waits for more bytes; nil: it has no such timer.
    package var latencyMilliseconds: Int?

    package init(device: String, resolved: String) {
        self.device = device
        self.resolved = resolved
    }
}

/// The file system below the spool.
package struct DiskFacts: Hashable, Sendable {
    package var path: String
    /// `ext4`, `tmpfs`, `overlay`.
    package var fileSystem: String
    package var isReadOnly = false
    package var freeBytes: Int64
    /// What the spool may still grow by.
    package var wantedBytes: Int64
    /// How long a small durable write took; nil: not tried.
    package var syncMilliseconds: Int64?

    package init(path: String, fileSystem: String, freeBytes: Int64, wantedBytes: Int64) {
        self.path = path
        self.fileSystem = fileSystem
        self.freeBytes = freeBytes
        self.wantedBytes = wantedBytes
    }
}

/// The kernel's clock.
package struct ClockFacts: Hashable, Sendable {
    package enum Quality: Hashable, Sendable {
        case synchronised
        case unsynchronised
        /// The kernel does not say: why.
        case unknown(String)
    }

    package var quality: Quality
    /// As the kernel estimates it; 0 where it does not say.
    package var errorMilliseconds: Int64
    package var now: UTCInstant
    /// Steps that the agent saw since it started, and the largest of them, milliseconds.
    package var steps = 0
    package var stepMillisecondsMax: Int64 = 0

    package init(quality: Quality, errorMilliseconds: Int64, now: UTCInstant) {
        self.quality = quality
        self.errorMilliseconds = errorMilliseconds
        self.now = now
    }
}

/// A certificate file of the configuration.
package struct CertificateFacts: Hashable, Sendable {
    package enum Content: Hashable, Sendable {
        /// Why it cannot be read.
        case unreadable(String)
        case sound(name: String, from: UTCInstant, to: UTCInstant)
    }

    package let path: String
    package let content: Content
    /// The name it must carry: the gateway's; nil for the CA's.
    package let wantedName: String?

    package init(path: String, content: Content, wantedName: String?) {
        self.path = path
        self.content = content
        self.wantedName = wantedName
    }
}

/// Everything the doctor knows of the machine.
package struct MachineFacts: Hashable, Sendable {
    package var ttys: [TTYFacts] = []
    /// Running processes that are known to grab serial lines, whether or not they hold one now.
    package var rivals: [LineHolder] = []
    package var disk: DiskFacts?
    package var clock: ClockFacts?
    package var certificates: [CertificateFacts] = []

    package init() {}
}
