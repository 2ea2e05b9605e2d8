// Rule 7: verified, pending or disputed. A person decides between, never over a blocking finding.

internal import Quantities

extension DayOutcome {
    init(grade: Grade, confidence: Int64, review: Review?, manifest: Manifest) {
        if grade == .blocked || confidence < manifest.reviewFrom || review?.isAccepted == false {
            self = .disputed
        } else if confidence >= manifest.verifiedFrom || review?.isAccepted == true {
            self = .verified
        } else {
            self = .pending
        }
    }
}
