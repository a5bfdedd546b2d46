package main

import (
	"regexp"
	"strconv"
	"strings"
)

// texts is a list without repetition.
type texts struct {
	list []string
	seen map[string]bool
}

func newTexts() *texts {
	return &texts{seen: map[string]bool{}}
}

func (t *texts) add(text string) {
	if !t.seen[text] && affordable(text) {
		t.seen[text] = true
		t.list = append(t.list, text)
	}
}

var exponentForm = regexp.MustCompile(`^[+-]?([0-9]*)\.?([0-9]*)[eE]([+-]?[0-9]+)$`)

// affordable leaves out what Kubernetes' parser answers only after minutes and gigabytes: it writes
// 10^|exponent| out, unless the value is 0 or at most 18 digits stand before an exponent that is
// not below nano.
func affordable(text string) bool {
	parts := exponentForm.FindStringSubmatch(text)
	if parts == nil {
		return true
	}
	parsed, err := strconv.ParseInt(parts[3], 10, 64)
	exponent := int32(parsed)
	whole := strings.TrimLeft(parts[1], "0")
	fraction := parts[2]
	if err != nil || (exponent > -3000 && exponent < 3000) {
		return true
	}
	if strings.Trim(whole+fraction, "0") == "" {
		return true
	}
	return max(len(whole), 1)+len(fraction) <= 18 && exponent-int32(len(fraction)) >= -9
}

var signs = []string{"", "+", "-"}

var mantissas = []string{
	"", ".", "0", "00", "0.", ".0", "0.0", "000.000", "1", "1.", ".1", "0.1", "01", "001.10", "9", "10",
	"1.0", "1.5", "0.5", ".5", "5", "16", "1000", "1024", "1023", "1025", "0.001", "0.0009765625",
	"0.999999999", "0.9999999999", "0.000000001", "0.0000000001", "1.000000001", "1.0000000001",
	"1.0000000000000000000000000001", "0." + strings.Repeat("0", 40) + "1",
	"0." + strings.Repeat("9", 60), "123456789", "999999999999999999", "1000000000000000000",
	"123456789012345678", "1234567890123456789", "0.12345678901234567", "1.12345678901234567",
	"1.123456789012345678", "9007199254740991", "9007199254740992", "9007199254740993",
	"8796093022207", "8796093022208", "7.99999999999999999", "8", "7.9999999999999999999999",
	"9223372036854775806", "9223372036854775807", "9223372036854775808",
	"9223372036854775807.000000001", "9223372036854775806.999999999",
	"9223372036854775806.9999999991", "18446744073709551616", "4294967296",
	"170141183460469231731687303715884105727", "340282366920938463463374607431768211456",
	"1234567890123456789012345678901234567890", "0000000000000000000000000000000000000000000001",
	strings.Repeat("9", 200), "1" + strings.Repeat("0", 100),
}

var suffixes = []string{
	"", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei",
}

var badSuffixes = []string{
	"K", "N", "U", "g", "t", "p", "ki", "mi", "ni", "ui", "ei", "KI", "Kii", "KB", "Gb", "GiB", "B",
	"i", "ii", "Ee", "eE", "e", "e+", "e-", "E+", "E-", "+", "-", "k3", "m-3", "Ki2", "Ei+5", "e--3",
	"e+-3", "e3.0", "e3k", "e3Ki", "e0x1", "e1_0", "nn", "um", "m ", " m", "mm", "µ", "\xb5", "Zi",
	"Z", "Y", ",", ".", ".5", ".k", "\x00", "k\x00", "\t", "\n", "\xff", "０", "٣", "e３",
}

var exponents = []string{
	"0", "00", "000000000000000000000000000001", "1", "2", "3", "4", "6", "8", "9", "10", "11", "12",
	"15", "17", "18", "19", "20", "24", "27", "28", "29", "30", "40", "100", "1000", "2999", "32768",
	"2000000000", "2147483638", "2147483639", "2147483640", "2147483646", "2147483647", "2147483648",
	"2147483649", "2147483666", "4294967286", "4294967287", "4294967288", "4294967295", "4294967296",
	"4294967297", "4294967299", "4294967305", "4294967306", "8589934592", "99999999999",
	"9223372036854775806", "9223372036854775807", "9223372036854775808", "9223372036854775809",
	"18446744073709551615", "18446744073709551616", "99999999999999999999",
}

var odd = []string{
	"", " ", "  ", "\t1", " 1", "1 ", "1\n", "1 Gi", "- 1", "--1", "++1", "+-1", "1-", "1+", "1+1", "1..",
	"..1", "1.2.3", ".1.", "1,5", "1_000", "0x10", "0b1", "1e1.5", "1e1e1", "Inf", "inf", "NaN", "null",
	"true", "\"1\"", "'1'", "1\x00", "\x001", "\x00", "1\xc2\xb5", "−1", "１", "½", "1½", "٣", "\xff", "\x80",
	"1\x80", "1G\xff", "1.\xff", "1e\xff", "\xef\xbb\xbf1", "1k1", "k1", "G", "i", "#1", "\\1", "1/2",
	"1%", "$1", "1Gi 1", "1;2", "0.1e-2147483648", "1.5e-2147483648", "0.25E-2147483648",
	"-0.1e-2147483648", "0.0000000001e-2147483640", "1.e-10", "0.e-2147483648",
}

func (t *texts) addCorners() {
	for _, text := range odd {
		t.add(text)
	}
	for i, mantissa := range mantissas {
		for j, sign := range signs {
			t.addSuffixes(sign + mantissa)
			t.addExponents(sign+mantissa, i+j)
		}
	}
	for _, number := range []string{"", "+", ".", "1", "-1.5", "0", "1234567890123456789012"} {
		for _, suffix := range badSuffixes {
			t.add(number + suffix)
		}
	}
}

func (t *texts) addSuffixes(number string) {
	for _, suffix := range suffixes {
		t.add(number + suffix)
	}
}

// addExponents rotates the ways to write an exponent, so that together all of them are met.
func (t *texts) addExponents(number string, turn int) {
	for i, exponent := range exponents {
		t.add(number + []string{"e", "E", "e+", "E+"}[(i+turn)%4] + exponent)
		t.add(number + []string{"e-", "E-"}[(i+turn)%2] + exponent)
	}
}
