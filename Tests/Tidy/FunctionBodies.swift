// How long functions are: from the line of `func` to the line of the closing brace.

struct FunctionLength: Hashable {
    let name: String
    let line: Int
    let length: Int
}

extension SwiftSource {
    /// Functions, initialisers, subscripts and computed properties that have a body.
    var functions: [FunctionLength] {
        tokens.indices.compactMap { index in
            guard let name = declaredName(at: index), let start = bodyStart(after: index) else { return nil }
            let lines = tokens[bodyEnd(from: start)].line - tokens[index].line + 1
            return FunctionLength(name: name, line: tokens[index].line, length: lines)
        }
    }

    private func declaredName(at index: Int) -> String? {
        guard index + 1 < tokens.count, index == 0 || tokens[index - 1].text != "." else { return nil }
        switch tokens[index].text {
        case "func":
            let name = tokens[(index + 1)...].prefix { $0.text != "(" && $0.text != "<" }.map(\.text).joined()
            return name.isEmpty ? "<" : name  // the operator "<" itself
        case "var": return tokens[index + 1].text
        case "init" where ["(", "?", "!", "<"].contains(tokens[index + 1].text): return "init"
        case "deinit": return "deinit"
        case "subscript" where ["(", "<"].contains(tokens[index + 1].text): return "subscript"
        default: return nil
        }
    }

    /// The token index of the brace that opens the body; nil for a requirement or a stored property.
    private func bodyStart(after index: Int) -> Int? {
        let others: Set = [
            "func", "var", "let", "case", "struct", "class", "enum", "actor", "extension", "protocol", "init", "static",
            "package", "private", "internal", "fileprivate", "mutating", "associatedtype", "subscript",
        ]
        let isProperty = tokens[index].text == "var"
        var depth = 0
        for place in (index + 1)..<tokens.count {
            let token = tokens[place]
            if isProperty, depth == 0, token.line > tokens[place - 1].line { return nil }
            switch token.text {
            case "(", "[": depth += 1
            case ")", "]":
                depth -= 1
                if depth < 0 { return nil }
            case "{" where depth == 0: return place
            case "}" where depth == 0: return nil
            case "=" where depth == 0 && isProperty: return nil
            case let word where depth == 0 && place > index + 1 && others.contains(word): return nil
            default: break
            }
        }
        return nil
    }

    private func bodyEnd(from start: Int) -> Int {
        var depth = 0
        for place in start..<tokens.count {
            if tokens[place].text == "{" { depth += 1 }
            if tokens[place].text == "}" { depth -= 1 }
            if depth == 0 { return place }
        }
        return tokens.count - 1
    }
}
