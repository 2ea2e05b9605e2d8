// What the keeper says of meters that will not settle: once when it begins, once when it is over.

internal import AgentCore
internal import Quantities

extension Keeper {
    /// The id of the meter with this number in births: what people call it.
    func name(_ index: UInt64) -> String {
        planner.register.meters.first { $0.index == index }?.id.text ?? "number \(index)"
    }

    func word(_ status: UInt64) -> String { WatchTable.word(status) }

    /// After a commit: who is who may have changed.
    func doubt() {
        let now = planner.register.doubts(isReplay: settings.replay != nil)
        guard now != doubts else { return }
        for doubt in now where !doubts.contains(doubt) {
            log.line(
                .warning, "meter will not settle", [("meter", doubt.meter.text), ("because", doubt.description)])
        }
        for doubt in doubts where !now.contains(doubt) {
            log.line(
                .info, "meter: one reason against settling is gone",
                [("meter", doubt.meter.text), ("was", doubt.description)])
        }
        doubts = now
    }
}
