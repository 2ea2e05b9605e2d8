// The stages of the house by the names their streams bear in the Journal. Not what they do: each has its own folder.

/// A stage stream. Appending to it is a compare-and-swap on its sequence number. In fold order: no stage reads an event
/// of a later one.
package enum Stage: String, CaseIterable, Hashable, Sendable {
    case house
    case intake
    case window
    case verification
    case issuance
    case settlement
    case governance
}
