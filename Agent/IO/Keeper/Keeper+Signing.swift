// When the key's store does not sign: a token pulled out, a TPM that is busy. Reading goes on, nothing unsigned is stored,
// and signing goes on by itself once the store is back.

internal import AgentCore
internal import Evidence
internal import Keys

extension Keeper {
    /// Cut and not signed yet: the key's store did not sign. Later reads wait behind it, see ``OpenCommit/readsMax``.
    struct Unsigned {
        let bodies: [PlannedBody]
        let clock: RecordClock
        let moment: Moment
    }

    func signerFailed(_ error: KeyError) {
        if signerProblem == nil {
            log.line(
                .error, "the key does not sign; reading goes on, nothing is stored until it does",
                [("problem", error.description)])
        }
        signerProblem = error.description
        board.update { $0.signerProblem = error.description }
    }

    func signerWorks() {
        guard signerProblem != nil else { return }
        signerProblem = nil
        board.update { $0.signerProblem = nil }
        log.line(.info, "the key signs again", [("waiting", String(recorder.waiting))])
    }
}
