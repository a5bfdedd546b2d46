package main

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
)

type maker struct {
	*rand.Rand
}

func pick(m maker, from []string) string {
	return from[m.IntN(len(from))]
}

func (m maker) digits(most int) string {
	out := make([]byte, m.IntN(most+1))
	for i := range out {
		out[i] = "0123456789"[m.IntN(10)]
		if m.IntN(4) == 0 {
			out[i] = "09"[m.IntN(2)]
		}
	}
	return string(out)
}

func (m maker) ending() string {
	switch m.IntN(6) {
	case 0:
		return fmt.Sprintf("%s%d", pick(m, []string{"e", "E"}), m.IntN(81)-40)
	case 1:
		return fmt.Sprintf("e%d", m.Int64()>>m.IntN(63)-m.Int64()>>m.IntN(63))
	default:
		return pick(m, suffixes)
	}
}

func (m maker) number() string {
	longest := []int{3, 10, 19, 40}[m.IntN(4)]
	text := pick(m, signs) + m.digits(longest)
	if m.IntN(2) == 0 {
		text += "." + m.digits(longest)
	}
	return text + m.ending()
}

// atLimit stands a little below, at or above 2^63-1 when its suffix is applied.
func (m maker) atLimit() string {
	power := m.IntN(7) * 10
	limit := new(big.Int).Lsh(big.NewInt(1), uint(63-power))
	limit.Add(limit, big.NewInt(int64(m.IntN(5)-2)))
	text := pick(m, signs) + limit.String()
	if m.IntN(2) == 0 {
		text += "." + strings.Repeat(pick(m, []string{"0", "9"}), m.IntN(30)) + m.digits(3)
	}
	if power > 0 {
		return text + suffixes[9+power/10]
	}
	return text + pick(m, []string{"", "e0", "000m", "000e-3"})
}

// tiny is near one nano, on both sides.
func (m maker) tiny() string {
	text := pick(m, signs) + pick(m, []string{"", "0"}) + "."
	return text + strings.Repeat("0", m.IntN(32)) + m.digits(20) + m.ending()
}

// sameValue spells a small set of values in many ways, so that equal ranks are frequent.
func (m maker) sameValue() string {
	whole := m.IntN(200)
	switch m.IntN(7) {
	case 0:
		return fmt.Sprintf("%d%s", whole, pick(m, suffixes))
	case 1:
		return fmt.Sprintf("%d%s", whole*1024, pick(m, suffixes))
	case 2:
		return fmt.Sprintf("%d000%s", whole, pick(m, suffixes))
	case 3:
		return fmt.Sprintf("%d.%03d%s", whole/8, whole%8*125, pick(m, suffixes))
	case 4:
		return fmt.Sprintf("00%d.0e%d", whole, m.IntN(37)-18)
	case 5:
		return fmt.Sprintf("0.%de%d", whole, m.IntN(37)-18)
	default:
		return fmt.Sprintf("%s%d%s", pick(m, signs), int64(whole)<<(10*m.IntN(5)), pick(m, suffixes))
	}
}

func (m maker) soup() string {
	const alphabet = "0011223456789+-..eEinumkKMGTPi"
	out := make([]byte, m.IntN(9))
	for i := range out {
		out[i] = alphabet[m.IntN(len(alphabet))]
	}
	return string(out)
}

// damaged is a number with one byte inserted, removed or replaced.
func (m maker) damaged() string {
	text := m.number()
	at := m.IntN(len(text) + 1)
	strange := string([]byte{byte(m.IntN(256))})
	if at == len(text) {
		return text + strange
	}
	switch m.IntN(3) {
	case 0:
		return text[:at] + text[at+1:]
	case 1:
		return text[:at] + strange + text[at:]
	default:
		return text[:at] + strange + text[at+1:]
	}
}

func (t *texts) addRandom(count int, seed uint64) {
	m := maker{rand.New(rand.NewPCG(seed, 0))}
	makers := []func() string{
		m.number, m.number, m.number, m.atLimit, m.tiny, m.sameValue, m.soup, m.damaged,
	}
	for i := range count {
		t.add(makers[i%len(makers)]())
	}
}
