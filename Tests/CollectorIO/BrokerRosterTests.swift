// The broker's clients against what is wanted, with a plugin that answers as Mosquitto's does. The real one is in Tests/System.

@testable import CollectorIO
import Foundation
import Quantities
import Testing

struct BrokerRosterTests {
    /// What Mosquitto 2.0.11 keeps, as far as the roster asks for it.
    private struct Plugin {
        var clients: [String: [String]] = ["collector": ["admin"]]
        var roles: [String: [String]] = [:]
        var refusal: String?
        private(set) var deleted: [String] = []

        mutating func answer(_ bytes: [UInt8]) throws -> [UInt8] {
            let message = try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
            let commands = try #require(message?["commands"] as? [[String: Any]])
            let responses = commands.map { command -> [String: Any] in
                var response = perform(command)
                response["command"] = command["command"]
                return response
            }
            return Array(try JSONSerialization.data(withJSONObject: ["responses": responses]))
        }

        private mutating func perform(_ command: [String: Any]) -> [String: Any] {
            let user = command["username"] as? String ?? ""
            let role = command["rolename"] as? String ?? ""
            if let refusal { return ["error": refusal] }
            switch command["command"] as? String {
            case "listClients":
                let names = clients.keys.sorted()
                let (offset, count) = (command["offset"] as? Int ?? 0, command["count"] as? Int ?? names.count)
                let page = names.dropFirst(offset).prefix(count).map { name -> [String: Any] in
                    ["username": name, "roles": clients[name, default: []].map { ["rolename": $0] }]
                }
                return ["data": ["totalCount": names.count, "clients": Array(page)]]
            case "createRole", "modifyRole":
                if command["command"] as? String == "createRole", roles[role] != nil {
                    return ["error": "Role already exists"]
                }
                let acls = command["acls"] as? [[String: Any]] ?? []
                roles[role] = acls.map { "\($0["acltype"] ?? "") \($0["topic"] ?? "")" }
            case "createClient":
                if clients[user] != nil { return ["error": "Client already exists"] }
                clients[user] = (command["roles"] as? [[String: Any]] ?? []).compactMap { $0["rolename"] as? String }
            case "addClientRole": clients[user, default: []].append(role)
            case "deleteClient":
                deleted.append(user)
                if clients.removeValue(forKey: user) == nil { return ["error": "Client not found"] }
            case "deleteRole": if roles.removeValue(forKey: role) == nil { return ["error": "Role not found"] }
            default: return ["error": "Unknown command"]
            }
            return [:]
        }
    }

    /// Until nothing is left to be asked; how many messages that took.
    private func settle(
        _ roster: inout BrokerRoster, _ plugin: inout Plugin, _ wanted: [String], uptime: Int64 = 0
    ) throws -> Int {
        var count = 0
        while let message = roster.next(wanted: wanted.map { id($0) }, uptime: uptime) {
            count += 1
            try #require(count < 100)
            roster.take(answer: try plugin.answer(message), uptime: uptime)
        }
        return count
    }

    @Test func whoIsWantedGetsExactlyItsOwnTopics() throws {
        var (roster, plugin) = (BrokerRoster(own: "collector"), Plugin())
        roster.connected()
        let count = try settle(&roster, &plugin, ["gw-a", "gw-b"])
        #expect(count == 2)
        #expect(plugin.clients["gw-a"] == ["gateway/gw-a"] && plugin.clients["gw-b"] == ["gateway/gw-b"])
        let acls = try #require(plugin.roles["gateway/gw-a"])
        #expect(acls.count == 8 && acls.allSatisfy { $0.contains("/gw-a/") && !$0.contains("+") && !$0.contains("#") })
        #expect(plugin.roles["kilomint-collector"]?.count == 2)
        #expect(roster.known == [id("gw-a"), id("gw-b")] && roster.trouble == nil)
        let rest = try settle(&roster, &plugin, ["gw-a", "gw-b"])
        #expect(rest == 0)
    }

    @Test func whoIsRevokedIsDeletedWithItsRole() throws {
        var (roster, plugin) = (BrokerRoster(own: "collector"), Plugin())
        roster.connected()
        _ = try settle(&roster, &plugin, ["gw-a", "gw-b"])
        _ = try settle(&roster, &plugin, ["gw-b"])
        #expect(plugin.clients["gw-a"] == nil && plugin.roles["gateway/gw-a"] == nil)
        #expect(plugin.deleted == ["gw-a"] && plugin.clients["gw-b"] != nil)
    }

    /// What is there from before is mended; what is not ours is left alone.
    @Test func aNewSessionReconciles() throws {
        var (roster, plugin) = (BrokerRoster(own: "collector"), Plugin())
        plugin.clients["ghost"] = ["gateway/ghost"]
        plugin.roles["gateway/ghost"] = ["publishClientSend #"]
        plugin.clients["gw-a"] = ["gateway/gw-a"]
        plugin.roles["gateway/gw-a"] = ["publishClientSend #"]
        plugin.clients["dashboard"] = ["reader"]
        plugin.clients["gw-odd"] = ["gateway/gw-odd", "reader"]
        roster.connected()
        _ = try settle(&roster, &plugin, ["gw-a"])
        #expect(plugin.deleted == ["ghost"])
        #expect(plugin.roles["gateway/gw-a"]?.contains("publishClientSend #") == false)
        #expect(plugin.clients["dashboard"] == ["reader"] && plugin.clients["gw-odd"] != nil)
    }

    @Test func manyAreListedAndMadeInParts() throws {
        var (roster, plugin) = (BrokerRoster(own: "collector"), Plugin())
        let names = (0..<450).map { "gw-\($0)" }
        for name in names.prefix(300) { plugin.clients[name] = ["gateway/\(name)"] }
        roster.connected()
        let count = try settle(&roster, &plugin, names)
        #expect(count == 2 + names.count / BrokerRoster.changesMax)
        #expect(Set(plugin.clients.keys) == Set(names + ["collector"]))
    }

    @Test func withoutAnAnswerEverythingIsAskedAnew() throws {
        var (roster, plugin) = (BrokerRoster(own: "collector"), Plugin())
        roster.connected()
        let first = roster.next(wanted: [id("gw-a")], uptime: 0)
        let none = roster.next(wanted: [id("gw-a")], uptime: BrokerRoster.patience)
        let again = roster.next(wanted: [id("gw-a")], uptime: BrokerRoster.patience + 1)
        #expect(first != nil && none == nil && again == first)
        #expect(roster.trouble?.contains("does not answer") == true)
        let message = try #require(again)
        let answer = try plugin.answer(message)
        roster.take(answer: answer, uptime: BrokerRoster.patience + 2)
        _ = try settle(&roster, &plugin, ["gw-a"], uptime: BrokerRoster.patience + 3)
        #expect(roster.known == [id("gw-a")] && roster.trouble == nil)
    }

    @Test(arguments: ["Insufficient privileges", "Internal error"])
    func aRefusalIsShown(text: String) throws {
        var (roster, plugin) = (BrokerRoster(own: "collector"), Plugin())
        roster.connected()
        for refusal in [nil, text] {
            let next = roster.next(wanted: [id("gw-a")], uptime: 0)
            let message = try #require(next)
            plugin.refusal = refusal
            let answer = try plugin.answer(message)
            roster.take(answer: answer, uptime: 0)
        }
        #expect(roster.trouble?.contains(text) == true && roster.known.isEmpty)
    }

    @Test(arguments: ["", "[]", "{\"responses\":[{\"command\":\"listClients\",\"data\":{}}]}", "{\"responses\":7}"])
    func aStrangeAnswerIsNoHarm(text: String) throws {
        var roster = BrokerRoster(own: "collector")
        roster.connected()
        _ = roster.next(wanted: [], uptime: 0)
        roster.take(answer: Array(text.utf8), uptime: 0)
        #expect(roster.known.isEmpty)
    }
}
