package chatmw

import (
	"context"
	"fmt"
	"regexp"

	"github.com/echochat/echochat/chat"
)

// PatternsConfig says what happens to a message that a pattern matches.
type PatternsConfig struct {
	// List has regular expressions in the syntax of package regexp, whose time to match is linear in the text. They see the text as it was
	// sent; begin one with (?i) to ignore capitals.
	List []string
	// Reason, if set, refuses the message with this text for its sender, instead of masking what matches.
	Reason string
	// Mask takes the place of each character that matches. Defaults to '*'.
	Mask rune
}

// Patterns masks what regular expressions match, such as card numbers: each character becomes a '*'. It panics if the list is empty or
// an expression is wrong.
func Patterns(list []string) chat.Filter { return PatternsWithConfig(PatternsConfig{List: list}) }

// PatternsWithConfig is Patterns with another mask, or with refusal instead.
func PatternsWithConfig(cfg PatternsConfig) chat.Filter {
	if cfg.Mask == 0 {
		cfg.Mask = '*'
	}
	if len(cfg.List) == 0 {
		panic("chatmw: Patterns: the list is empty")
	}
	patterns := make([]*regexp.Regexp, len(cfg.List))
	for i, expression := range cfg.List {
		var err error
		if patterns[i], err = regexp.Compile(expression); err != nil {
			panic(fmt.Sprintf("chatmw: Patterns: entry %d: %v", i+1, err))
		}
	}
	return func(_ context.Context, d *chat.Draft) error {
		for _, p := range patterns {
			var found []span
			for _, at := range p.FindAllStringIndex(d.Text, -1) {
				if at[0] < at[1] {
					found = append(found, span{at[0], at[1]})
				}
			}
			if len(found) > 0 && cfg.Reason != "" {
				return chat.Reject(cfg.Reason)
			}
			d.Text = mask(d.Text, found, cfg.Mask)
		}
		return nil
	}
}
