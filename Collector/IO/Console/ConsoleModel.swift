// What the console's first page shows, as plain values. Filled by the house, drawn by ConsolePage; no decisions here.

package import Quantities

package struct ConsoleModel: Sendable {
    package struct Meter: Sendable {
        package var id: String
        package var model: String
        package var serial: String
        package var role: String
        /// Register as decoded, with its unit: `12 345.67 kWh`.
        package var register: String?
        package var watts: Int64?
        package var readAt: UTCInstant?

        package init(id: String, model: String, serial: String, role: String) {
            self.id = id
            self.model = model
            self.serial = serial
            self.role = role
        }
    }

    package struct Gateway: Sendable {
        package var id: String
        package var isOnline: Bool
        package var records: UInt64
        package var completeThrough: UTCInstant?
        package var note: String?
        package var meters: [Meter]

        package init(
            id: String, isOnline: Bool, records: UInt64, completeThrough: UTCInstant?, note: String?, meters: [Meter]
        ) {
            self.id = id
            self.isOnline = isOnline
            self.records = records
            self.completeThrough = completeThrough
            self.note = note
            self.meters = meters
        }
    }

    package struct Window: Sendable {
        package var id: String
        package var start: UTCInstant
        package var end: UTCInstant
        package var cutAt: UTCInstant
        package var state: String
        /// Wh by source letter M, C, A, D, S.
        package var energy: [(source: String, wattHours: Int64)]
        package var confidencePPM: Int64?
        package var issued: Int64
        package var supplyAfter: String?
        package var outputDigest: String?
        /// Why it waits and what clears it.
        package var hold: String?

        package init(
            id: String, start: UTCInstant, end: UTCInstant, cutAt: UTCInstant, state: String,
            energy: [(source: String, wattHours: Int64)], confidencePPM: Int64?, issued: Int64, supplyAfter: String?,
            outputDigest: String?, hold: String?
        ) {
            self.id = id
            self.start = start
            self.end = end
            self.cutAt = cutAt
            self.state = state
            self.energy = energy
            self.confidencePPM = confidencePPM
            self.issued = issued
            self.supplyAfter = supplyAfter
            self.outputDigest = outputDigest
            self.hold = hold
        }

        package func energy(of source: String) -> Int64? { energy.first { $0.source == source }?.wattHours }
    }

    package struct Head: Sendable {
        package var log: String
        package var origin: String
        package var size: UInt64
        package var root: String

        package init(log: String, origin: String, size: UInt64, root: String) {
            self.log = log
            self.origin = origin
            self.size = size
            self.root = root
        }
    }

    package struct Account: Sendable {
        package var id: String
        package var balance: String
        package var latestTransaction: String?

        package init(id: String, balance: String, latestTransaction: String?) {
            self.id = id
            self.balance = balance
            self.latestTransaction = latestTransaction
        }
    }

    /// Average power of a quarter hour.
    package struct Power: Sendable {
        package var at: UTCInstant
        package var watts: Int64

        package init(at: UTCInstant, watts: Int64) {
            self.at = at
            self.watts = watts
        }
    }

    package var tenant: String
    package var asset: String
    package var isReplay: Bool
    package var speed: Int64
    package var now: UTCInstant
    package var gateways: [Gateway]
    /// Oldest first.
    package var windows: [Window]
    package var supply: String
    package var heads: [Head]
    package var accounts: [Account]
    /// Power of the revenue meter, oldest first.
    package var power: [Power]
    package var nameplateWatts: Int64
    package var evidenceRecords: UInt64
    package var refusals: UInt64
    package var warnings: [String]

    package init(tenant: String, asset: String, isReplay: Bool, speed: Int64, now: UTCInstant) {
        self.tenant = tenant
        self.asset = asset
        self.isReplay = isReplay
        self.speed = speed
        self.now = now
        gateways = []
        windows = []
        supply = "0"
        heads = []
        accounts = []
        power = []
        nameplateWatts = 0
        evidenceRecords = 0
        refusals = 0
        warnings = []
    }

    package var openWindow: Window? { windows.last { $0.state == "open" } }
}
