// Readings, notes and skips: the bodies that make up the bulk of a stream.

package import CBOR
package import Proofs

/// The body of a readings record.
package struct Readings: Hashable, Sendable {
    /// Of one sample: what a window's inputs can carry. A Modbus answer has at most 250.
    package static let wordsBytesMax = 65_536

    /// One answer, or the reason there is none.
    package struct Sample: Hashable, Sendable {
        /// Index of the read in the stream's latest birth.
        package let read: UInt64
        /// Milliseconds after `base` when the last byte arrived.
        package let dt: UInt64
        /// Milliseconds since the request began.
        package let took: UInt64
        /// ``SampleStatus`` or a number this version does not know. 0 is good; anything else has no words.
        package let status: UInt64
        /// Register words, big-endian, as the meter answered.
        package let words: [UInt8]

        package init(read: UInt64, dt: UInt64, took: UInt64, status: UInt64, words: [UInt8]) {
            self.read = read
            self.dt = dt
            self.took = took
            self.status = status
            self.words = words
        }
    }

    /// Uptime of this boot, ms.
    package let base: UInt64
    /// Sorted by (dt, read).
    package let samples: [Sample]

    package init(base: UInt64, samples: [Sample]) {
        self.base = base
        self.samples = samples
    }
}

/// Why a sample has no value. Modbus exceptions 1 … 11 stand as themselves. Numbers are signed: never renumber.
package enum SampleStatus {
    package static let good: UInt64 = 0
    /// Modbus exception codes are 1 … 11 (Modbus Application Protocol V1.1b3 §7); 10 and 11 mean the slave is dead.
    package static let exceptionMax: UInt64 = 11
    package static let timeout: UInt64 = 32
    package static let checksum: UInt64 = 33
    /// An answer of another length, unit, function or transaction.
    package static let wrongAnswer: UInt64 = 34
    package static let disconnected: UInt64 = 35
    package static let connectFailed: UInt64 = 36
    package static let busError: UInt64 = 37
    /// Not asked: the slave is backed off.
    package static let backedOff: UInt64 = 38
}

extension Readings {
    package var cbor: CBORValue {
        .array([
            .unsigned(base),
            .array(
                samples.map {
                    .array([
                        .unsigned($0.read), .unsigned($0.dt), .unsigned($0.took), .unsigned($0.status),
                        .bytes($0.words),
                    ])
                }),
        ])
    }

    init(_ value: CBORValue) throws(ShapeError) {
        let parts = try value.array(count: 2, "readings")
        base = try parts[0].milliseconds("readings[0]")
        let items = try parts[1].array("readings[1]")
        var samples: [Sample] = []
        samples.reserveCapacity(items.count)
        var last: (dt: UInt64, read: UInt64)?
        for item in items {
            let fields = try item.array(count: 5, "sample")
            let sample = Sample(
                read: try fields[0].uint("sample[0]"), dt: try fields[1].milliseconds("sample[1]"),
                took: try fields[2].milliseconds("sample[2]"),
                status: try fields[3].uint("sample[3]"), words: try fields[4].bytes("sample[4]"))
            guard sample.status == 0 || sample.words.isEmpty else {
                throw ShapeError("sample[4]", expected: "no words with a status other than 0")
            }
            guard sample.words.count <= Self.wordsBytesMax else {
                throw ShapeError("sample[4]", expected: "at most \(Self.wordsBytesMax) bytes")
            }
            if let last, last >= (sample.dt, sample.read) {
                throw ShapeError("readings[1]", expected: "samples in order of (dt, read), none twice")
            }
            last = (sample.dt, sample.read)
            samples.append(sample)
        }
        self.samples = samples
    }
}

/// The body of a note: something a person or a rule must know of.
package struct Note: Hashable, Sendable {
    package let uptimeMilliseconds: UInt64
    /// ``NoteCode`` or a number this version does not know.
    package let code: UInt64
    /// Details by code: docs/formats/evidence.md, "Notes".
    package let details: CBORValue

    package init(uptimeMilliseconds: UInt64, code: NoteCode, details: [(Int64, CBORValue?)]) {
        self.uptimeMilliseconds = uptimeMilliseconds
        self.code = code.rawValue
        self.details = .fields(details)
    }
}

/// Codes of notes. Signed: never renumber.
package enum NoteCode: UInt64, Hashable, Sendable {
    /// {1: meter index, 2: [model, serial, firmware] before, 3: the same now, ? 4: [* [role, before, now]] of its setup}
    case identityChanged = 1
    /// {1: step in ms, 2: sync before, 3: sync now}
    case clockStepped = 2
    /// {1: uptime of the last commit known, 2: [* [read, samples lost at most]]}
    case startedAfterCrash = 3
    /// ``MeterReplacement``
    case meterReplaced = 4
    /// ``Commissioning``
    case commissioned = 5
    /// ``CommandOutcome``
    case commandDone = 6
    /// {1: first seq, 2: last seq, 3: reason tstr}
    case quarantined = 7
    /// {1: stream of the receipt, 2: its seq, 3: seq held before}
    case receiptWentBack = 8
    /// {1: read index, 2: longest ms late}
    case cycleTooShort = 9
    /// {1: meter index, 2: reason tstr}
    case meterSilent = 10
    /// {1: [* [read, samples lost]]}: memory was full while the disk took nothing
    case samplesDropped = 11
}

extension Note {
    var cbor: CBORValue { .array([.unsigned(uptimeMilliseconds), .unsigned(code), details]) }

    init(_ value: CBORValue) throws(ShapeError) {
        let parts = try value.array(count: 3, "note")
        uptimeMilliseconds = try parts[0].milliseconds("note[0]")
        code = try parts[1].uint("note[1]")
        guard case .map = parts[2] else { throw ShapeError("note[2]", expected: "a map") }
        details = parts[2]
    }
}

/// The body of a skip: it stands at `from` (the record's number) for every record through `to`.
package struct Skip: Hashable, Sendable {
    package struct Loss: Hashable, Sendable {
        package let read: UInt64
        package let samples: UInt64

        package init(read: UInt64, samples: UInt64) {
            self.read = read
            self.samples = samples
        }
    }

    package let to: UInt64
    /// Identity of the record at `to`; the next record's `previous` is this.
    package let identity: Digest
    package let reason: String
    package let firstClock: RecordClock
    package let lastClock: RecordClock
    package let losses: [Loss]

    package init(
        to: UInt64, identity: Digest, reason: String, firstClock: RecordClock, lastClock: RecordClock, losses: [Loss]
    ) {
        self.to = to
        self.identity = identity
        self.reason = reason
        self.firstClock = firstClock
        self.lastClock = lastClock
        self.losses = losses
    }
}

extension Skip {
    var cbor: CBORValue {
        .fields([
            (1, .unsigned(to)), (2, .bytes(identity.bytes)), (3, .text(reason)),
            (4, .array([firstClock.cbor, lastClock.cbor])),
            (5, .array(losses.map { .array([.unsigned($0.read), .unsigned($0.samples)]) })),
        ])
    }

    init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...5, extensible: true, "skip")
        guard let identity = Digest(try fields.bytes(count: 32, 2)) else {
            throw ShapeError("skip.2", expected: "32 bytes")
        }
        let clocks = try fields.array(count: 2, 4)
        var losses: [Loss] = []
        for item in try fields.array(5) {
            let parts = try item.array(count: 2, "skip.5[]")
            losses.append(Loss(read: try parts[0].uint("skip.5[][0]"), samples: try parts[1].uint("skip.5[][1]")))
        }
        self.init(
            to: try fields.uint(1), identity: identity, reason: try fields.text(3),
            firstClock: try RecordClock(clocks[0], "skip.4[0]"), lastClock: try RecordClock(clocks[1], "skip.4[1]"),
            losses: losses)
    }
}
