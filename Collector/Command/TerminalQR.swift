// A text as a QR code for a terminal, two modules a character: an installer points a phone at it. Encoding is libqrencode's.

internal import CQREncode

enum TerminalQR {
    /// Modules of light around the code (ISO/IEC 18004 asks for four; every reader takes two).
    private static let quiet = 2
    /// Bytes of text; a claim code has 51.
    static let textBytesMax = 256

    /// Lines of half blocks, light as ink: right way round on a dark terminal, and readers take the other. Nil when the
    /// text is too long or libqrencode cannot encode it.
    static func lines(_ text: String) -> [String]? {
        guard text.utf8.count <= textBytesMax, let code = QRcode_encodeString(text, 0, QR_ECLEVEL_M, QR_MODE_8, 1)
        else {
            return nil
        }
        defer { QRcode_free(code) }
        guard let data = code.pointee.data else { return nil }
        let width = Int(code.pointee.width)
        let modules = UnsafeBufferPointer(start: data, count: width * width)
        func isLight(_ row: Int, _ column: Int) -> Bool {
            guard (0..<width).contains(row), (0..<width).contains(column) else { return true }
            return modules[row * width + column] & 1 == 0
        }
        return stride(from: -quiet, to: width + quiet, by: 2).map { row in
            (-quiet..<(width + quiet)).map { column in
                switch (isLight(row, column), row + 1 < width + quiet && isLight(row + 1, column)) {
                case (true, true): "█"
                case (true, false): "▀"
                case (false, true): "▄"
                case (false, false): " "
                }
            }.joined()
        }
    }
}
