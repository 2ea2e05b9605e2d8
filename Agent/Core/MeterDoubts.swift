// What will cost a meter its billing grade, as far as the gateway can see it: for log, status and the person beside the
// meter. The collector decides; reading goes on.

package import Metering
package import Quantities

/// One reason, with what to do.
package struct MeterDoubt: Hashable, Sendable {
    package enum Cause: Hashable, Sendable {
        /// The device says something its profile does not expect.
        case unexpected(Identity.Role, String)
        /// No range of the profile covers this firmware.
        case firmware(String)
        /// Other meters of this gateway have the same serial.
        case serialTwice(String, [Identifier])
        /// They had it: which of them it was nobody has looked yet.
        case serialWasTwice(String, [Identifier])
        /// No version of its profile is for what it said; it is read with this one meanwhile.
        case noVersion(fallback: String, [String])
        case profile(GradeObstacle)
        /// Since the agent started the device has changed what it says.
        case changed(Identity.Role, before: String, now: String)
    }

    package let meter: Identifier
    package let cause: Cause
}

extension MeterDoubt: CustomStringConvertible {
    package var description: String {
        switch cause {
        case .unexpected(let role, let text):
            "its \(role.name) is \(text), which its profile does not expect: set the device as the profile asks (profile "
                + "show), or choose another profile"
        case .firmware(let text):
            "its firmware \(text) is in no range of its profile: choose the profile for it, then commission the meter"
        case .serialTwice(let serial, let others):
            "its serial \(serial) is also \(others.map(\.text).joined(separator: ", "))'s: one device is configured twice, "
                + "or two answer to one address"
        case .serialWasTwice(let serial, let others):
            "its serial \(serial) was \(others.map(\.text).joined(separator: ", "))'s too: see which of them it is, then "
                + "commission it again"
        case .noVersion(let fallback, let versions):
            "none of \(versions.joined(separator: ", ")) is for what it says of its model and firmware; it is read with "
                + "\(fallback) meanwhile: add the profile for it, reload, then commission the meter"
        case .profile(let obstacle): "\(obstacle)"
        case .changed(let role, let before, let now):
            "its \(role.name) was \(before) and is \(now): look at the meter, then commission it again"
        }
    }
}

extension MeterRegister {
    /// By meter, as configured.
    ///
    /// - Parameter isReplay: nothing a replay settles is money; the profile's own obstacles are waived.
    package func doubts(isReplay: Bool) -> [MeterDoubt] {
        let bySerial = bySerial
        return meters.indices.flatMap { index -> [MeterDoubt] in
            let (meter, identity) = (meters[index], identities[index])
            var causes: [MeterDoubt.Cause] = []
            for (role, field) in meter.profile.identity.fields {
                let text = identity[role]
                if !text.isEmpty, !field.accepts(text) { causes.append(.unexpected(role, text)) }
            }
            if !identity.firmware.isEmpty, !meter.profile.covers(firmware: identity.firmware) {
                causes.append(.firmware(identity.firmware))
            }
            if meter.isReadWithFallback {
                causes.append(.noVersion(fallback: meter.profile.name, meter.versions.map(\.name)))
            }
            let others = (bySerial[identity.serial] ?? []).map { meters[$0].id }.filter { $0 != meter.id }
            if !others.isEmpty {
                causes.append(.serialTwice(identity.serial, others))
            } else if isClaimed[index] {
                causes.append(.serialWasTwice(identity.serial, twins[index].sorted()))
            }
            causes += changes[index].map { .changed($0.role, before: $0.before, now: $0.now) }
            causes += meter.profile.gradeObstacles(isReplay: isReplay).map { .profile($0) }
            return causes.map { MeterDoubt(meter: meter.id, cause: $0) }
        }
    }
}
