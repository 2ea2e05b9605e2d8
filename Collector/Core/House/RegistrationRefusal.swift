// Why a registration is not taken. Numbers stand in docs/formats/documents.md.

/// In the order the checks run; the first that applies is given. Never renumber.
package enum RegistrationRefusal: UInt64, Error, Hashable, Sendable, CaseIterable {
    case notUnderstood = 1
    case signatureWrong = 2
    case rootSignatureMissing = 3
    case personSignaturesMissing = 4
    case roleNotRegistrable = 5
    case numberTooLow = 6
    case numberTaken = 7
    case effectiveWentBack = 8
    case unknownOrganisation = 9
    case unknownEntity = 10
    case unknownGateway = 11
    case unknownMeter = 12
    case keyTaken = 13
    case meterClaimedTwice = 14
    case meterUsedTwice = 15
    case accountTaken = 16
    case numberSkipped = 17
    case revocationLater = 18
    case nameOfHouse = 19
}

extension RegistrationRefusal: CustomStringConvertible {
    /// What to do next.
    package var description: String {
        switch self {
        case .notUnderstood: "the payload is not a registration as docs/formats/documents.md has it: write it again"
        case .signatureWrong:
            "a signature is not of a root or a registered person, or does not verify: sign the exact payload again"
        case .rootSignatureMissing: "no root key signed it: add a root key's envelope"
        case .personSignaturesMissing: "dual control: add envelopes of two registered persons with different subjects"
        case .roleNotRegistrable:
            "root, receipt, command, log and seal keys are fixed by genesis and key list: register another role"
        case .numberTooLow: "a later number stands already: give it the next number"
        case .numberTaken: "this number stands with other content: give it the next number"
        case .effectiveWentBack: "it would take effect before the one it replaces: choose a later instant"
        case .unknownOrganisation: "its organisation is not registered: register that first"
        case .unknownEntity: "its entity is not registered: register that first"
        case .unknownGateway: "its gateway is not registered: register that first"
        case .unknownMeter: "a meter it names is not registered: register that first"
        case .keyTaken: "this key belongs to another subject or role: make a new key"
        case .meterClaimedTwice:
            "vendor, model and serial are registered under another meter id (METER_CLAIMED_TWICE): end that claim first"
        case .meterUsedTwice: "a meter it names stands at another metering point: end that use first"
        case .accountTaken: "an account it names belongs to another entity or to the house: choose another account id"
        case .numberSkipped:
            "a revocation has exactly the next number, so that none is kept from coming: give it that one"
        case .revocationLater: "a revocation takes effect at once: give it an instant that is not later than now"
        case .nameOfHouse: "`issuance` names the account that K$ come from: choose another id"
        }
    }
}
