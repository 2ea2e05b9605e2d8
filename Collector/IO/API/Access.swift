// Who may ask for what: bearer tokens with roles. Tokens are compared by their digests, so timing tells nothing.

internal import HTTPTypes
internal import Hummingbird
internal import Proofs

/// Tokens by the digest of their text.
struct AccessTable: Sendable {
    private let roles: [Digest: AccessRole]
    private let openReads: Bool

    /// - Parameter tokens: text and role of each token; texts shorter than 16 characters are refused where they are read.
    init(tokens: [(text: String, role: AccessRole)], openReads: Bool) {
        var roles: [Digest: AccessRole] = [:]
        for token in tokens { roles[Digest(of: Array(token.text.utf8))] = token.role }
        self.roles = roles
        self.openReads = openReads
    }

    /// Throws 401 without a valid token, 403 when its role does not suffice.
    func require(_ needed: AccessRole, _ request: Request) throws(Problem) {
        if needed == .viewer, openReads { return }
        let words = request.headers[.authorization]?.split(separator: " ") ?? []
        guard words.count == 2, words[0].lowercased() == "bearer", let role = roles[Digest(of: Array(words[1].utf8))]
        else {
            throw Problem(
                .unauthorized, "unauthorized", "A token is needed",
                detail:
                    "send Authorization: Bearer <token>; tokens stand in the collector's configuration under `tokens`")
        }
        guard Self.includes(role, needed) else {
            throw Problem(
                .forbidden, "forbidden", "This token may not do that",
                detail: "the route needs the role \(needed.rawValue); this token has \(role.rawValue)")
        }
    }

    static func includes(_ role: AccessRole, _ needed: AccessRole) -> Bool {
        role == needed || role == .operator || needed == .viewer
    }
}
