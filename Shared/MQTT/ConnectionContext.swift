// What libmosquitto's callbacks write down for one connection. They run on the network thread, inside calls it makes.

internal import CMosquitto
internal import Glibc

/// Owned by the network thread alone; the client object holds a second reference for its callbacks.
final class ConnectionContext {
    private let options: MQTTOptions
    /// What the next exchange reports.
    var report = Report()
    /// Set by CONNACK.
    private(set) var agreement: MQTTAgreement?
    /// Why it is over; the first reason is the true one, later ones are its consequences.
    private(set) var ended: MQTTReason?
    /// Publishes libmosquitto has, by its packet id.
    private var handed: [Int32: Outgoing] = [:]
    /// Publishes that reached nobody, or perhaps half of their packet did.
    private var abandoned: [MQTTPublishID] = []
    /// We have said farewell: whatever ends the connection now was asked for.
    var leaving = false
    /// A QoS 0 packet can be written, and reported, before the call that hands it over has returned its id.
    private var writtenEarly: Int32?
    /// Filters of each SUBSCRIBE not answered yet.
    private var asked: [Int32: [String]] = [:]
    private var refusedFilters: [MQTTRefusedFilter] = []
    /// libmosquitto's last error line: the only place where it names a TLS failure.
    var lastError: String?

    init(_ options: MQTTOptions) { self.options = options }

    func end(_ reason: MQTTReason) {
        if ended == nil { ended = leaving ? .stopped : reason }
    }

    /// Takes what has happened since the last call.
    func takeReport() -> Report {
        defer { report = Report() }
        return report
    }

    /// In the order of the publishes.
    var unacknowledged: [MQTTPublishID] { (handed.values.map(\.id) + abandoned).sorted() }

    // MARK: Told by Connection

    /// False when the packet id is still in use: 65 535 later publishes overtook one, which no sound broker lets happen.
    func handedOver(_ message: Outgoing, as packet: Int32) -> Bool {
        if writtenEarly == packet {
            writtenEarly = nil
            report.finished += 1
            return true
        }
        return handed.updateValue(message, forKey: packet) == nil
    }

    func abandon(_ message: Outgoing) { abandoned.append(message.id) }

    func refused(_ message: Outgoing, _ reason: MQTTReason) {
        report.finished += 1
        report.refused += 1
        report.add(.refused(message.id, reason))
    }

    func subscribing(_ filters: [String], as packet: Int32) { asked[packet] = filters }

    // MARK: Callbacks

    func connackArrived(code: Int32, flags: Int32, properties: OpaquePointer?) {
        guard code == 0 else { return end(.broker(Self.version5(code))) }
        var receiveMax: UInt16 = .max
        var packetBytesMax: UInt32 = .max
        mosquitto_property_read_int16(properties, Int32(MQTT_PROP_RECEIVE_MAXIMUM.rawValue), &receiveMax, false)
        mosquitto_property_read_int32(properties, Int32(MQTT_PROP_MAXIMUM_PACKET_SIZE.rawValue), &packetBytesMax, false)
        let agreed = MQTTAgreement(
            sessionPresent: flags & 1 == 1,
            // A receive maximum of 0 is a protocol error of the broker; libmosquitto lets it pass.
            inFlightMax: min(options.inFlightMax, max(Int(receiveMax), 1)),
            packetBytesMax: min(options.packetBytesMax, Int(packetBytesMax)))
        agreement = agreed
        report.agreement = agreed
        report.add(.connected(agreed))
    }

    /// A broker that speaks only MQTT 3 answers with 1 … 5.
    private static func version5(_ code: Int32) -> UInt8 {
        switch code {
        case 1: 132
        case 2: 133
        case 3: 136
        case 4: 134
        case 5: 135
        default: UInt8(truncatingIfNeeded: code)
        }
    }

    func disconnectArrived(code: Int32) {
        end(code == 0 ? .broker(0) : MQTTReason(code: code, systemError: errno))
    }

    func messageArrived(_ message: mosquitto_message) {
        guard let topic = message.topic else { return }
        let count = max(Int(message.payloadlen), 0)
        let payload =
            message.payload.map { [UInt8](UnsafeRawBufferPointer(start: $0, count: count)) } ?? []
        report.messages += 1
        report.add(
            .message(
                MQTTMessage(
                    topic: String(cString: topic), payload: payload,
                    qos: message.qos == 0 ? .atMostOnce : .atLeastOnce, retained: message.retain)))
    }

    /// PUBACK for QoS 1, "written to the socket" for QoS 0.
    func publishEnded(packet: Int32, code: Int32) {
        guard let message = handed.removeValue(forKey: packet) else {
            writtenEarly = packet
            return
        }
        // 16: nobody subscribes, which is no concern of the sender.
        if code >= 128 { return refused(message, .broker(UInt8(truncatingIfNeeded: code))) }
        report.finished += 1
        guard message.qos == .atLeastOnce else { return }
        report.acknowledged += 1
        report.add(.acknowledged(message.id))
    }

    func subackArrived(packet: Int32, granted: UnsafeBufferPointer<Int32>) {
        guard let filters = asked.removeValue(forKey: packet) else { return }
        for (filter, code) in zip(filters, granted) where code >= 128 {
            refusedFilters.append(
                MQTTRefusedFilter(filter: filter, reason: .broker(UInt8(truncatingIfNeeded: code))))
        }
        if asked.isEmpty { report.add(.subscribed(refused: refusedFilters)) }
    }
}
