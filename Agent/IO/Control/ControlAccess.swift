// The part of the configuration that says who may ask the running agent, and how much: control_mode, control_group,
// control_rate.

internal import AgentCore
package import Glibc
internal import Settings

/// Who may open the control socket.
package struct ControlAccess: Hashable, Sendable {
    package struct Group: Hashable, Sendable {
        package let name: String

        /// Looked up when it is needed: groups may come after the configuration.
        var number: gid_t {
            get throws(SystemError) {
                if let number = gid_t(name) { return number }
                var entry = Glibc.group()
                var found: UnsafeMutablePointer<Glibc.group>?
                var room = [CChar](repeating: 0, count: 16_384)
                let code = getgrnam_r(name, &entry, &room, room.count, &found)
                guard code == 0, let number = found?.pointee.gr_gid else {
                    throw SystemError("find the group \(name) of `control_group`", code: code == 0 ? ENOENT : code)
                }
                return number
            }
        }
    }

    /// 0600 or 0660.
    package var mode: mode_t = 0o600
    /// Nil: the agent's own.
    package var group: Group?
    /// Requests a second that tools may add to each bus.
    package var perSecond = PersonTurns.perSecondDefault

    package init() {}

    init(_ map: SettingsMap) throws(SettingsError) {
        if let value = map.optional("control_mode") {
            mode = try value.choice([("0600", mode_t(0o600)), ("0660", mode_t(0o660))])
        }
        if let value = map.optional("control_group") {
            let allowed = "a group's name of 1 … 32 characters a-z 0-9 - _"
            group = Group(
                name: try value.word(allowed, count: 1...32) { byte in
                    (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x5F
                })
            guard mode == 0o660 else { throw map.error("`control_group` needs `control_mode: 0660`") }
        }
        perSecond = try map.optional("control_rate")?.int(in: PersonTurns.perSecondRange) ?? perSecond
    }
}
