package promql

import (
	"encoding/binary"
	"regexp"
	"regexp/syntax"
	"slices"
	"unicode"
)

// workLimit bounds the instructions one call of intersect looks at; beyond it the answer is Unknown.
const workLimit = 1 << 20

// automaton is the non-deterministic automaton of one matcher.
type automaton struct {
	prog *syntax.Prog
	not  bool // the matcher accepts what the program refuses
}

// state is where the automata are after reading text.
type state struct {
	text string
	pcs  [][]uint32 // per automaton the sorted program counters it can be at
}

// intersection searches for a value that all automata accept.
type intersection struct {
	automata []automaton
	runes    []rune // one of each class of characters that no automaton tells apart
	work     int
}

// intersect answers whether some string is accepted by all of ms, and with Yes returns a shortest one. It walks the
// product of their automata, made deterministic on the way, breadth first until all accept or nothing new is reached.
func intersect(ms []Matcher) (text string, answer Answer) {
	x, ok := newIntersection(ms)
	if !ok {
		return "", Unknown
	}
	start := state{pcs: make([][]uint32, len(x.automata))}
	for i, a := range x.automata {
		start.pcs[i] = []uint32{uint32(a.prog.Start)}
	}
	queue, seen := []state{start}, map[string]bool{}
	for at := 0; at < len(queue); at++ {
		var begin syntax.EmptyOp
		if at == 0 {
			begin = syntax.EmptyBeginText
		}
		if x.accepts(queue[at], begin) {
			return queue[at].text, Yes
		}
		for _, next := range x.successors(queue[at], begin) {
			if key := next.key(); !seen[key] {
				seen[key] = true
				queue = append(queue, next)
			}
		}
		if x.work > workLimit {
			return "", Unknown
		}
	}
	return "", No
}

// newIntersection compiles ms; ok is false if one of them is outside what automata of characters can express.
func newIntersection(ms []Matcher) (x *intersection, ok bool) {
	x = &intersection{}
	bounds := []rune{0, 0xD800, 0xE000}
	for _, m := range ms {
		expr := m.Value
		if m.Op == Equal || m.Op == NotEqual {
			expr = regexp.QuoteMeta(expr)
		}
		prog, ok := compileProg(expr)
		if !ok {
			return nil, false
		}
		x.automata = append(x.automata, automaton{prog: prog, not: m.Op == NotEqual || m.Op == NotRegexp})
		for i := range prog.Inst {
			bounds = appendBounds(bounds, &prog.Inst[i])
		}
	}
	slices.Sort(bounds)
	x.runes = slices.DeleteFunc(slices.Compact(bounds), func(r rune) bool {
		return r > unicode.MaxRune || 0xD800 <= r && r < 0xE000 // surrogates are not characters
	})
	return x, true
}

// compileProg compiles expr as Prometheus does; ok is false if it is not valid or looks at more than one character
// at a time, other than begin and end of the text.
func compileProg(expr string) (prog *syntax.Prog, ok bool) {
	re, err := syntax.Parse(expr, syntax.Perl|syntax.DotNL)
	if err != nil {
		return nil, false
	}
	prog, err = syntax.Compile(re.Simplify())
	if err != nil {
		return nil, false
	}
	for i := range prog.Inst {
		in := &prog.Inst[i]
		if in.Op == syntax.InstEmptyWidth && syntax.EmptyOp(in.Arg)&^(syntax.EmptyBeginText|syntax.EmptyEndText) != 0 {
			return nil, false
		}
	}
	return prog, true
}

// appendBounds appends the first character of every class that in begins or ends.
func appendBounds(bounds []rune, in *syntax.Inst) []rune {
	switch in.Op {
	case syntax.InstRuneAnyNotNL:
		return append(bounds, '\n', '\n'+1)
	case syntax.InstRune, syntax.InstRune1:
	default:
		return bounds
	}
	if len(in.Rune) == 1 { // one character, in all its cases if FoldCase is set
		r := in.Rune[0]
		bounds = append(bounds, r, r+1)
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			bounds = append(bounds, f, f+1)
		}
		return bounds
	}
	for i := 0; i+1 < len(in.Rune); i += 2 {
		bounds = append(bounds, in.Rune[i], in.Rune[i+1]+1)
	}
	return bounds
}

// accepts reports whether every automaton accepts in state s at the end of the text.
func (x *intersection) accepts(s state, begin syntax.EmptyOp) bool {
	for i, a := range x.automata {
		match := slices.ContainsFunc(x.closure(a.prog, s.pcs[i], begin|syntax.EmptyEndText), func(pc uint32) bool {
			return a.prog.Inst[pc].Op == syntax.InstMatch
		})
		if match == a.not {
			return false
		}
	}
	return true
}

// successors returns the states after one more character, without those that can never accept.
func (x *intersection) successors(s state, begin syntax.EmptyOp) []state {
	closures := make([][]uint32, len(s.pcs))
	for i, a := range x.automata {
		closures[i] = x.closure(a.prog, s.pcs[i], begin)
	}
	var out []state
	for _, r := range x.runes {
		next := state{text: s.text + string(r), pcs: make([][]uint32, len(s.pcs))}
		dead := false
		for i, a := range x.automata {
			next.pcs[i] = x.step(a.prog, closures[i], r)
			dead = dead || len(next.pcs[i]) == 0 && !a.not
		}
		if !dead {
			out = append(out, next)
		}
		if x.work > workLimit {
			break
		}
	}
	return out
}

// step returns where the instructions in closure lead by r.
func (x *intersection) step(prog *syntax.Prog, closure []uint32, r rune) []uint32 {
	var out []uint32
	x.work += len(closure) + 1
	for _, pc := range closure {
		in := &prog.Inst[pc]
		switch in.Op {
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			if in.MatchRune(r) {
				out = append(out, in.Out)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// closure returns the instructions reachable from pcs without reading a character where the conditions in at hold.
func (x *intersection) closure(prog *syntax.Prog, pcs []uint32, at syntax.EmptyOp) []uint32 {
	seen := make([]bool, len(prog.Inst))
	var out []uint32
	todo := slices.Clone(pcs)
	for len(todo) > 0 {
		pc := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[pc] {
			continue
		}
		seen[pc] = true
		x.work++
		in := &prog.Inst[pc]
		switch in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			todo = append(todo, in.Out, in.Arg)
		case syntax.InstCapture, syntax.InstNop:
			todo = append(todo, in.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(in.Arg)&^at == 0 {
				todo = append(todo, in.Out)
			}
		case syntax.InstFail:
		default:
			out = append(out, pc)
		}
	}
	return out
}

// key returns the places of s as a string.
func (s state) key() string {
	var b []byte
	for _, pcs := range s.pcs {
		b = binary.AppendUvarint(b, uint64(len(pcs)))
		for _, pc := range pcs {
			b = binary.AppendUvarint(b, uint64(pc))
		}
	}
	return string(b)
}
