// Drafts that persons signed elsewhere, as the page /devices/new hands them back: copies of one, in base64, one a line.

internal import CBOR
internal import CollectorCore
internal import Evidence
internal import Proofs
internal import Quantities

/// Copies of one draft, put together.
struct SignedDrafts: Sendable {
    /// Persons who signed copies of their own, and the root.
    static let copiesMax = 16
    /// Of all copies together, in base64: a whole draft and half of another, or copies of a usual one.
    static let bytesMax = 2 << 20

    let joined: RegistrationDraft

    /// - Throws: ``Problem`` that says which copy is wrong, and how one comes by a right one.
    init(_ body: [UInt8]) throws(Problem) {
        let lines = body.split(separator: UInt8(ascii: "\n")).map { $0.filter { $0 > 0x20 } }.filter { !$0.isEmpty }
        guard !lines.isEmpty else {
            throw Problem.badRequest(
                "There is no draft", detail: "choose the file that was signed, or paste it in base64")
        }
        guard lines.count <= Self.copiesMax else {
            throw Problem.badRequest("There are too many copies", detail: "at most \(Self.copiesMax) at a time")
        }
        var all: RegistrationDraft?
        for (index, line) in lines.enumerated() {
            let copy = try Self.draft(line, number: index + 1)
            guard var known = all else {
                all = copy
                continue
            }
            guard known.join(copy) else {
                throw Problem.badRequest(
                    "Copy \(index + 1) is of another draft",
                    detail: "hand in drafts of different registrations one by one")
            }
            all = known
        }
        guard let all, all.items.allSatisfy({ !$0.envelopes.isEmpty }) else {
            throw Problem.badRequest(
                "Nobody has signed it",
                detail: "a root key and two persons do: kilomint-collector device sign FILE --key KEY")
        }
        joined = all
    }

    private static func draft(_ line: [UInt8], number: Int) throws(Problem) -> RegistrationDraft {
        guard let bytes = [UInt8](base64: String(decoding: line, as: UTF8.self)) else {
            throw Problem.badRequest(
                "Copy \(number) is no base64", detail: "choose the file itself, or paste what `base64 -w0 FILE` prints")
        }
        do throws(ShapeError) { return try RegistrationDraft(decoding: bytes) } catch {
            throw Problem.badRequest(
                "Copy \(number) is no draft",
                detail: "\(error): /devices/new and `kilomint-collector device add` make one")
        }
    }
}

/// What became of each registration of a draft, in its order.
struct SubmittedDraft: Sendable {
    enum State: String, Sendable {
        case taken
        /// Exactly this one is there.
        case stood = "stood already"
        case refused
        /// Something before it was refused.
        case left = "not tried"
    }

    struct Item: Sendable {
        let registration: Registration
        var state: State
        var problem: (code: Int64?, text: String)?
    }

    var items: [Item]

    var isWhole: Bool { items.allSatisfy { $0.state == .taken || $0.state == .stood } }

    var json: JSON {
        .object([
            (
                "items",
                .array(
                    items.map { item in
                        let subject = RegistrationSubject(item.registration.body)
                        return .object([
                            ("kind", .count(item.registration.body.kind)),
                            ("name", .string(SitePage.words(item.registration))),
                            ("id", .string(subject.id.text)), ("state", .string(item.state.rawValue)),
                            ("code", .optional(item.problem?.code)), ("problem", .optional(item.problem?.text)),
                        ])
                    })
            )
        ])
    }
}
