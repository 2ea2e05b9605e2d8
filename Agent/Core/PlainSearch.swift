// Looking for a text in a text, byte by byte. The standard library's own `contains` of a text links its regular expressions:
// eight hundred kilobytes of program for one line.

extension String {
    /// Whether `part` stands in it; the empty text does everywhere.
    package func has(_ part: String) -> Bool {
        let (all, part) = (Array(utf8), Array(part.utf8))
        guard part.count <= all.count else { return false }
        return (0...all.count - part.count).contains { all[$0..<$0 + part.count].elementsEqual(part) }
    }
}
