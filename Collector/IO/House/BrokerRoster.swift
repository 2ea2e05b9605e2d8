// Which gateways the broker lets in: clients and roles of Mosquitto's dynamic-security plugin, kept in step with whose keys
// count. Decides what to ask for and reads the answers; sends nothing itself.
//
// What Mosquitto 2.0.11 really does (Tests/System/test_revocation.py): disableClient and deleteClient end a live session at once.
// A client that shows a certificate is let in again even when it is disabled, with all of its roles, because no password is
// asked. So who is revoked is deleted with the role: it may connect, and every publish and subscription is denied.

internal import CollectorCore
internal import Evidence
internal import Foundation
internal import Quantities

struct BrokerRoster {
    static let commandTopic = "$CONTROL/dynamic-security/v1"
    static let answerTopic = commandTopic + "/response"
    /// Clients of one page of a list, and changes of one message: both stay far below the largest packet.
    static let pageMax = 200
    static let changesMax = 50
    /// Without an answer for so long everything is asked anew, ms.
    static let patience: Int64 = 10_000
    /// The list is compared again after so long, so that what somebody else changed is mended, ms.
    static let comparedEvery: Int64 = 600_000
    private static let rolePrefix = "gateway/"
    private static let collectorRole = "kilomint-collector"

    private enum Phase {
        case unknown
        case listing(offset: Int)
        case known
    }

    /// Gateways that the broker has a client and role for.
    private(set) var known: Set<Identifier> = []
    private var phase = Phase.unknown
    private var found: Set<Identifier> = []
    private var askedAt: Int64?
    private var pending: (create: [Identifier], delete: [Identifier]) = ([], [])
    private var comparedAt: Int64 = 0
    /// Those whose role's topics were set since the list was read.
    private var assured: Set<Identifier> = []
    private(set) var trouble: String?
    /// Nothing was to be done for those last asked for.
    private var isSettled = false
    /// The user that this collector is for the broker.
    private let own: String

    init(own: String) { self.own = own }

    /// The session is new: what was asked before may not have been heard.
    mutating func connected() {
        phase = .unknown
        isSettled = false
        askedAt = nil
    }

    /// Whether ``next(wanted:uptime:)`` has nothing to say as long as the same are wanted.
    func isIdle(uptime: Int64) -> Bool { isSettled && uptime - comparedAt <= Self.comparedEvery }

    /// The next message to publish; nil while an answer is awaited or nothing is to be changed.
    ///
    /// - Parameters:
    ///   - wanted: gateways whose key counts now, in order.
    ///   - uptime: ms.
    mutating func next(wanted: @autoclosure () -> [Identifier], uptime: Int64) -> [UInt8]? {
        if let askedAt {
            guard uptime - askedAt > Self.patience else { return nil }
            trouble = "the broker's dynamic-security plugin does not answer: is it loaded, and is \(own) its admin?"
            phase = .unknown
        }
        askedAt = nil
        isSettled = false
        if case .known = phase, uptime - comparedAt > Self.comparedEvery { phase = .unknown }
        let commands: [JSON]
        switch phase {
        case .unknown:
            (found, assured) = ([], [])
            phase = .listing(offset: 0)
            commands = collectorsOwn() + [list(0)]
        case .listing(let offset): commands = [list(offset)]
        case .known:
            let wanted = wanted()
            let target = Set(wanted)
            let delete = known.subtracting(target).sorted().prefix(Self.changesMax)
            let create = wanted.filter { !known.contains($0) || !assured.contains($0) }.prefix(Self.changesMax)
            guard !delete.isEmpty || !create.isEmpty else {
                isSettled = true
                return nil
            }
            pending = (Array(create), Array(delete))
            // First who is out: that cannot wait for others.
            commands = delete.flatMap(Self.removing) + create.flatMap(Self.admitting)
        }
        askedAt = uptime
        return Array(JSON.object([("commands", .array(commands))]).encoded.utf8)
    }

    /// Reads an answer of the plugin.
    mutating func take(answer bytes: [UInt8], uptime: Int64) {
        askedAt = nil
        let answer: Any
        do { answer = try JSONSerialization.jsonObject(with: Data(bytes)) } catch {
            trouble = "the broker's dynamic-security plugin answers what is no JSON"
            return
        }
        let responses = (answer as? [String: Any])?["responses"] as? [[String: Any]] ?? []
        for response in responses where response["command"] as? String == "listClients" { read(response, uptime) }
        guard case .known = phase, !(pending.create.isEmpty && pending.delete.isEmpty) else { return }
        let serious = responses.compactMap { $0["error"] as? String }.filter { !Self.harmless.contains($0) }
        guard serious.isEmpty else {
            trouble = "the broker's dynamic-security plugin refuses: \(serious[0])"
            phase = .unknown
            pending = ([], [])
            return
        }
        known.subtract(pending.delete)
        known.formUnion(pending.create)
        assured.formUnion(pending.create)
        pending = ([], [])
        trouble = nil
    }

    /// What says that it was so already.
    private static let harmless: Set = [
        "Client already exists", "Role already exists", "Client not found", "Role not found",
        "Client is already in this role", "Client already has this role",
    ]

    private mutating func read(_ response: [String: Any], _ uptime: Int64) {
        guard case .listing(let offset) = phase, let data = response["data"] as? [String: Any],
            let clients = data["clients"] as? [[String: Any]], let total = data["totalCount"] as? Int
        else {
            if let error = response["error"] as? String { trouble = "the broker does not list its clients: \(error)" }
            phase = .unknown
            askedAt = uptime
            return
        }
        for client in clients {
            let roles = (client["roles"] as? [[String: Any]] ?? []).compactMap { $0["rolename"] as? String }
            // Only who has exactly the role we give is ours to delete.
            guard let name = client["username"] as? String, let gateway = Identifier(name),
                roles == [Self.rolePrefix + name]
            else { continue }
            found.insert(gateway)
        }
        guard offset + clients.count >= total || clients.isEmpty else {
            phase = .listing(offset: offset + clients.count)
            return
        }
        (known, phase, comparedAt, trouble) = (found, .known, uptime, nil)
    }

    // MARK: - Commands

    private static func command(_ name: String, _ members: [(String, JSON)]) -> JSON {
        .object([("command", .string(name))] + members)
    }

    private func list(_ offset: Int) -> JSON {
        Self.command(
            "listClients",
            [("verbose", .bool(true)), ("count", .int(Int64(Self.pageMax))), ("offset", .int(Int64(offset)))])
    }

    /// Beside the admin's: receipts and commands of every gateway.
    private func collectorsOwn() -> [JSON] {
        let acls = ["km/1/+/+/receipt", "km/1/+/+/command"].map { Self.acl("publishClientSend", $0) }
        return [
            Self.command("createRole", [("rolename", .string(Self.collectorRole)), ("acls", .array(acls))]),
            Self.command(
                "addClientRole", [("username", .string(own)), ("rolename", .string(Self.collectorRole))]),
        ]
    }

    private static func acl(_ type: String, _ topic: String) -> JSON {
        .object([("acltype", .string(type)), ("topic", .string(topic)), ("allow", .bool(true))])
    }

    private static func removing(_ gateway: Identifier) -> [JSON] {
        [
            command("deleteClient", [("username", .string(gateway.text))]),
            command("deleteRole", [("rolename", .string(rolePrefix + gateway.text))]),
        ]
    }

    /// Exactly the gateway's own topics; set anew when the role was there.
    private static func admitting(_ gateway: Identifier) -> [JSON] {
        let topics = GatewayTopics(gateway)
        let acls =
            [topics.evidence, topics.status, topics.live, topics.birth].map { acl("publishClientSend", $0) }
            + [topics.receipt, topics.command].flatMap {
                [acl("publishClientReceive", $0), acl("subscribeLiteral", $0)]
            }
        let role: [(String, JSON)] = [("rolename", .string(rolePrefix + gateway.text)), ("acls", .array(acls))]
        return [
            command("createRole", role), command("modifyRole", role),
            command(
                "createClient",
                [
                    ("username", .string(gateway.text)), ("textname", .string("enrolled gateway")),
                    ("roles", .array([.object([("rolename", .string(rolePrefix + gateway.text))])])),
                ]),
        ]
    }
}
