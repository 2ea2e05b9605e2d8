// Why an enrolment is answered with no. One line of text for the person at the gateway: what to do. Not for the log.

internal import CollectorCore
internal import HTTPTypes

struct EnrolmentRefusal: Error, Hashable {
    let status: HTTPResponse.Status
    let text: String

    /// Whoever does not know the secret is told no more than this, whatever is wrong.
    static let unauthorised = EnrolmentRefusal(
        status: .unauthorized,
        text: "gateway id and secret fit no open claim: look at the code on the collector's /devices")
    static let tooMany = EnrolmentRefusal(
        status: .tooManyRequests, text: "too many attempts: wait a minute, then try once")
    static let tooManyCertificates = EnrolmentRefusal(
        status: .tooManyRequests,
        text:
            "too many certificates of this key have not ended: whoever has it asks too often; enrol with a claim code for a new key"
    )
    static let locked = EnrolmentRefusal(
        status: .forbidden,
        text:
            "this claim is locked after too many wrong secrets: unlock it or make a new one on the collector's /devices"
    )
    static let noCertificate = EnrolmentRefusal(
        status: .unauthorized, text: "no certificate of this CA was shown: enrol with a claim code")
    static let unknownKey = EnrolmentRefusal(
        status: .forbidden,
        text:
            "this key is not the gateway's, or not any more: enrol with a claim code (kilomint-agent enroll --replace)")
    static let superseded = EnrolmentRefusal(
        status: .forbidden,
        text:
            "this key named its successor: a certificate is made for that one alone; a box that was put back from a copy enrols with a claim code (kilomint-agent enroll --replace)"
    )
    static let revoked = EnrolmentRefusal(
        status: .forbidden,
        text:
            "this gateway's key is revoked for ever: to let this box back in name another `key` in its configuration, then kilomint-agent init and enroll with a new claim code"
    )
    static let expiredTooLong = EnrolmentRefusal(
        status: .forbidden, text: "the certificate expired more than a year ago: enrol with a claim code")

    static func malformed(_ text: String) -> EnrolmentRefusal { EnrolmentRefusal(status: .badRequest, text: text) }

    init(status: HTTPResponse.Status, text: String) { (self.status, self.text) = (status, text) }

    init(_ refusal: BindingRefusal) {
        switch refusal {
        case .unknownGateway, .noClaim, .secretWrong: self = .unauthorised
        case .claimExpired, .claimUsed, .keyTaken, .keyRevoked, .eventWrong:
            self.init(status: .forbidden, text: refusal.description)
        case .requestNotUnderstood, .requestOfOtherGateway, .requestSignatureWrong:
            self = .malformed(refusal.description)
        }
    }
}
