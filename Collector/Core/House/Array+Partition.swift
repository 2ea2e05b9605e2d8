// Binary search over what is sorted already. Not a search by equality.

extension Array {
    /// The first index for which `isAfter` holds, which must be false up to there and true from there on.
    func partitioningIndex(where isAfter: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = low + (high - low) / 2
            if isAfter(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
