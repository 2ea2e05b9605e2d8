// The Journal's events in order, each compared with its entry: salted digest, id once, stage numbers, time. What events
// mean is not known here.

internal import CBOR
internal import Proofs
internal import Quantities

/// Reads the events of all epochs.
package struct JournalReader {
    private let images: [LogImage]
    private var bundles: RecordBundles
    private var position = LogPosition.start
    private var ids: Set<Digest> = []
    private var sequences: [Stage: UInt64] = [:]
    private var lastTime: UTCInstant?
    /// Events read.
    package private(set) var count: UInt64 = 0

    /// - Parameter images: epochs 1, 2 … in order.
    package init(_ images: [LogImage]) {
        self.images = images
        bundles = RecordBundles(.journal, epoch: 1)
    }

    package var total: UInt64 { images.reduce(0) { $0 + $1.size } }

    /// The next event; nil at the end.
    package mutating func next(_ tools: AuditTools) async throws -> (event: JournalEvent, body: Event)? {
        while position.epoch <= UInt64(images.count) {
            let image = images[Int(position.epoch) - 1]
            guard position.index < image.size else {
                position = LogPosition(epoch: position.epoch + 1, index: 0)
                bundles = RecordBundles(.journal, epoch: position.epoch)
                continue
            }
            let here = position
            position = LogPosition(epoch: here.epoch, index: here.index + 1)
            // Compared with the ended epoch when the images were loaded.
            if here.epoch > 1, here.index == 0 { continue }
            let event = try await read(here, image.entries[Int(here.index)], tools)
            count += 1
            return event
        }
        return nil
    }

    private mutating func read(
        _ position: LogPosition, _ bytes: [UInt8], _ tools: AuditTools
    ) async throws -> (event: JournalEvent, body: Event) {
        let entry: JournalEntry
        do throws(LogEntryError) { entry = try JournalEntry(decoding: bytes) } catch {
            throw AuditFailure(.entry(.journal, position), "is no Journal entry: \(error)")
        }
        let place = AuditPlace.event(position, kind: entry.kind)
        let payload = try payload(try await bundles.item(position.index, tools), entry, place)
        let event = JournalEvent(position: position, entry: entry, payload: payload)
        guard ids.insert(payload.eventID).inserted else {
            throw AuditFailure(place, "event id \(payload.eventID) stands in the Journal already: it counts twice")
        }
        let last = sequences[entry.stage] ?? 0
        guard entry.sequence == last &+ 1 else {
            throw AuditFailure(
                place, "number \(entry.sequence) of stream \(entry.stage.rawValue) follows \(last): one is missing")
        }
        sequences[entry.stage] = entry.sequence
        if let lastTime, entry.time < lastTime {
            throw AuditFailure(place, "time \(entry.time) is before the event before it (\(lastTime))")
        }
        lastTime = entry.time
        do throws(EventError) { return (event, try Event(event)) } catch { throw AuditFailure(place, "\(error)") }
    }

    private func payload(_ item: CBORValue, _ entry: JournalEntry, _ place: AuditPlace) throws -> JournalPayload {
        guard !item.isNull else {
            throw AuditFailure(place, "its payload was erased: what follows from it cannot be computed again")
        }
        let (salt, payload): ([UInt8], [UInt8])
        do throws(ShapeError) {
            let parts = try item.array(count: 2, "record")
            (salt, payload) = (
                try parts[0].bytes(count: JournalEntry.saltBytes, "record[0]"), try parts[1].bytes("record[1]")
            )
        } catch { throw AuditFailure(place, "beside it stands no salt and payload (\(error))") }
        let digest = Digest(of: salt, payload)
        guard digest == entry.digest else {
            throw AuditFailure(place, "salt and payload give \(digest), the entry says \(entry.digest)")
        }
        do throws(LogEntryError) { return try JournalPayload(decoding: payload) } catch {
            throw AuditFailure(place, "\(error)")
        }
    }
}
