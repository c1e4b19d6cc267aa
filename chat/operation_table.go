package chat

import (
	"context"
	"slices"
)

// table is everything that can be asked of the chat. Each part of it stands beside the code that it is about.
func (c *Chat) table() []*operation {
	return slices.Concat(
		c.userOperations(),
		c.sessionOperations(),
		c.roomOperations(),
		c.roomListOperations(),
		c.roomChangeOperations(),
		c.directOperations(),
		c.joinOperations(),
		c.memberOperations(),
		c.invitationOperations(),
		c.messageOperations(),
		c.reactionOperations(),
		c.pinOperations(),
		c.historyOperations(),
		c.searchOperations(),
		c.syncOperations(),
		c.sanctionOperations(),
		c.flagOperations(),
		c.auditOperations(),
		c.readOperations(),
		c.typingOperations(),
		c.presenceOperations(),
	)
}

func (c *Chat) userOperations() []*operation {
	return []*operation{
		define(c.readMe, spec{
			name: "user.me", route: "GET /me", action: ActionUserRead,
			doc: "Says who one is.",
		}),
	}
}

// UserResult is the answer of operations that return a user.
type UserResult struct {
	User User `json:"user"`
}

func (c *Chat) readMe(_ context.Context, r *request, _ *nothing) (UserResult, error) {
	return UserResult{r.user}, nil
}
