// Changing what is registered, from a file: what stands is asked first, the difference is shown, and what is signed replaces it
// from an instant on. What was settled before stays.

internal import ArgumentParser
internal import CollectorClient
internal import CollectorCore
internal import CollectorIO
internal import Evidence
internal import Foundation
internal import Proofs
internal import Quantities

struct ChangeDevices: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "change",
        abstract: "Replaces what stands: a meter's ratio or gateway, a name, shares, a direction.",
        discussion: """
            The file is a site file, as for `device add`: each thing in it stands already, and is written whole, as it is to be
            from then on. Ids never change.

                meters:
                  - {id: main, vendor: ABB, model: A43, serial: "3001", gateway: gw-new, profile: abb/a43, class: mid, ratio_numerator: 200, ratio_denominator: 5}

            What changes is shown line by line. A window takes what is in force when it begins. A meter that comes behind another
            gateway, or has another serial or profile, is commissioned again.
            A root key and two persons sign it (dual control): here with --key for each, or elsewhere, from a --draft.
            """)

    @Argument(help: "site file, YAML") var file: String
    @OptionGroup var options: DeviceOptions
    @Option(help: "from when on, RFC 3339 in the house's time; default: now") var from: String?

    func validate() throws {
        guard from.map({ UTCInstant($0) != nil }) ?? true else {
            throw ValidationError("--from: an instant such as 2026-07-01T00:00:00Z")
        }
    }

    func run() async throws {
        try await withExitStatus {
            let site = try SiteFile.load(path: file)
            let client = try options.client()
            let standing = try await Standing.asked(of: client, about: site.bodies)
            let wanted = from.flatMap { UTCInstant($0) }
            let instant = wanted ?? standing.instant
            guard instant >= standing.instant else {
                throw ValidationError("--from: not before now, which is \(standing.instant): what was settled stays")
            }
            let (changes, lines) = try changed(site.bodies, standing, from: instant)
            let draft = RegistrationDraft(changes)
            try await draft.requireAccepted(by: client, file: file)
            try await options.register(draft)
            print(lines.joined(separator: "\n") + "\n")
            print(options.draft.map(AddDevices.next) ?? "Registered: it counts from \(instant).")
        }
    }

    /// The next version of each, and what is different in it; every mistake is named at once.
    private func changed(
        _ bodies: [Registration.Body], _ standing: Standing, from instant: UTCInstant
    ) throws -> ([Registration], [String]) {
        var (changes, lines, problems): ([Registration], [String], [String]) = ([], [], [])
        for (body, known) in zip(bodies, try standing.registrations()) {
            let fresh = Registration(number: (known?.number ?? 0) + 1, effectiveFrom: instant, body: body)
            let title = RegistrationDraft.title(fresh)
            guard let known else {
                problems.append("\(title): it is not registered: `device add` registers what is new")
                continue
            }
            guard known.body != body else {
                problems.append("\(title): it stands like this already: leave it out")
                continue
            }
            guard known.effectiveFrom <= instant else {
                problems.append(
                    "\(title): another change of it counts from \(known.effectiveFrom): give --from a later one")
                continue
            }
            changes.append(fresh)
            lines += [title] + RegistrationDraft.difference(from: known, to: fresh)
        }
        guard problems.isEmpty else {
            throw DraftRefused(
                description: "\(file) is refused, nothing was changed:\n  " + problems.joined(separator: "\n  "))
        }
        return (changes, lines)
    }
}

/// Of POST /v1/registrations/standing: the last version of each, in the order asked.
private struct Standing: Decodable {
    struct Item: Decodable { let registration: String? }
    let now: String
    let items: [Item]

    static func asked(of client: HouseClient, about bodies: [Registration.Body]) async throws -> Standing {
        let draft = RegistrationDraft(
            bodies.map { Registration(number: 1, effectiveFrom: UTCInstant(milliseconds: 0), body: $0) })
        let bytes = try await client.post("/v1/registrations/standing", draft.encoded)
        let answer = try JSONDecoder().decode(Standing.self, from: Data(bytes))
        guard UTCInstant(answer.now) != nil, answer.items.count == bodies.count else {
            throw ValidationError("the house's answer cannot be read: is it a collector of this version?")
        }
        return answer
    }

    var instant: UTCInstant { UTCInstant(now) ?? UTCInstant(milliseconds: 0) }

    func registrations() throws -> [Registration?] {
        try items.map { item in
            try item.registration.map { text in
                guard let bytes = [UInt8](base64: text) else {
                    throw ValidationError("the house's answer cannot be read: is it a collector of this version?")
                }
                return try Registration(decoding: bytes)
            }
        }
    }
}
