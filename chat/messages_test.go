package chat_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

// Ada corrects herself, Bob reacts, they go into details in a thread, pin what they have agreed on, and take back what was wrong.
// Everyone in the room sees the same, on a socket and over REST.
func TestConversation(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, a *app, _ storetest.Database) {
		ada, bob := a.connect(t, "Ada", chattest.WebSocket), a.connect(t, "Bob", chattest.Polling)
		for _, s := range []*chattest.Socket{ada, bob} {
			call(t, s, "room.join", object{"room_id": "team"})
		}

		// Ada has made a typing error, and corrects it. Sending the same correction again changes nothing more.
		m := call(t, ada, "message.send", object{"room_id": "team", "text": "Lunch at tweleve?", "metadata": object{"kind": "poll"}}).Message
		require.Equal(t, m.ID, expect(t, bob, "message.new").Message.ID)
		for range 2 {
			edited := call(t, ada, "message.update", object{"message_id": m.ID, "text": "Lunch at twelve?"}).Message
			require.Equal(t, "Lunch at twelve?", edited.Text)
			require.JSONEq(t, `{"kind":"poll"}`, string(edited.Metadata), "what was not named stays")
			require.False(t, edited.EditedAt.IsZero())
		}
		heard := expect(t, bob, "message.updated")
		require.Equal(t, "Lunch at twelve?", heard.Message.Text)
		require.Equal(t, m.Seq, heard.Seq)
		require.Equal(t, "ada", heard.User.ID)
		require.Equal(t, chat.CodeForbidden, refused(t, bob, "message.update", object{"message_id": m.ID, "text": "No."}).Code)

		// Bob likes it, twice, as people do. Ada sees one, and that hers is not among them.
		for range 2 {
			liked := call(t, bob, "reaction.add", object{"message_id": m.ID, "emoji": "👍"}).Message
			require.Equal(t, store.ReactionCounts{"👍": 1}, liked.ReactionCounts)
			require.Equal(t, []string{"👍"}, liked.OwnReactions)
		}
		require.Equal(t, "👍", expect(t, bob, "reaction.new").Reaction.Emoji, "his other devices hear it, too")
		reacted := expect(t, ada, "reaction.new")
		require.Equal(t, "👍", reacted.Reaction.Emoji)
		require.Equal(t, "bob", reacted.User.ID)
		require.EqualValues(t, 1, reacted.Message.ReactionCounts["👍"])
		a.send(t, "Ada", "PUT", "/messages/"+m.ID+"/reactions/"+url.PathEscape("🍜"), nil, 200, nil)
		require.Equal(t, "🍜", expect(t, bob, "reaction.new").Reaction.Emoji)
		page := get[chat.Page](t, a, "Ada", "/rooms/team/messages")
		require.Equal(t, []string{"🍜"}, page.Messages[0].OwnReactions)
		require.Equal(t, store.ReactionCounts{"👍": 1, "🍜": 1}, page.Messages[0].ReactionCounts)
		a.send(t, "Ada", "DELETE", "/messages/"+m.ID+"/reactions/"+url.PathEscape("🍜"), nil, 200, nil)
		require.Equal(t, store.ReactionCounts{"👍": 1}, expect(t, bob, "reaction.deleted").Message.ReactionCounts)

		// They talk it over in a thread, quoting; the room's history counts the replies.
		for _, text := range []string{"Where?", "The ramen place."} {
			call(t, bob, "message.send", object{"room_id": "team", "text": text, "parent_id": m.ID, "quoted_message_id": m.ID})
		}
		replies := get[chat.Page](t, a, "Ada", "/messages/"+m.ID+"/replies?limit=1")
		require.Equal(t, "The ramen place.", replies.Messages[0].Text)
		require.Equal(t, store.MessageReply, replies.Messages[0].Type)
		require.Equal(t, m.ID, replies.Messages[0].QuotedMessageID)
		require.True(t, replies.HasMoreBefore)
		older := get[chat.Page](t, a, "Ada", "/messages/"+m.ID+"/replies?limit=1&cursor="+url.QueryEscape(replies.NextCursor))
		require.Equal(t, "Where?", older.Messages[0].Text)
		require.Len(t, call(t, ada, "room.history", object{"room_id": "team", "thread": m.ID}).Messages, 2)
		parent := get[chat.MessageResult](t, a, "Ada", "/messages/"+m.ID).Message
		require.EqualValues(t, 2, parent.ReplyCount)

		// Ada owns the room, and pins what they have agreed on. Bob may not.
		require.Equal(t, chat.CodeForbidden, refused(t, bob, "message.pin", object{"message_id": m.ID}).Code)
		a.send(t, "Ada", "PUT", "/messages/"+m.ID+"/pin", nil, 200, nil)
		require.Equal(t, "ada", expect(t, bob, "message.updated").Message.PinnedBy)
		require.Equal(t, m.ID, get[chat.PinList](t, a, "Bob", "/rooms/team/pins").Messages[0].ID)
		call(t, ada, "message.unpin", object{"message_id": m.ID})
		require.True(t, expect(t, bob, "message.updated").Message.PinnedAt.IsZero())
		require.Empty(t, get[chat.PinList](t, a, "Bob", "/rooms/team/pins").Messages)

		// Ada keeps order: she deletes Bob's message, and what is left says so. It stays in its place.
		gone := call(t, ada, "message.delete", object{"message_id": older.Messages[0].ID}).Message
		require.Equal(t, store.MessageTombstone, gone.Type)
		deleted := expect(t, bob, "message.deleted")
		require.Equal(t, gone.ID, deleted.Message.ID)
		require.Empty(t, deleted.Message.Text)
		require.Equal(t, "ada", deleted.Message.DeletedBy)
		require.Equal(t, "bob", deleted.Message.User.ID)
		call(t, ada, "message.delete", object{"message_id": gone.ID})
		require.Equal(t, chat.CodeMessageNotFound, refused(t, bob, "message.update", object{"message_id": gone.ID, "text": "x"}).Code)
		require.Len(t, get[chat.Page](t, a, "Bob", "/rooms/team/messages").Messages, 3)
		require.EqualValues(t, 1, get[chat.MessageResult](t, a, "Bob", "/messages/"+m.ID).Message.ReplyCount)
	})
}

// Whoever is named is told, wherever they are in the app; whoever hears the room hears it there alone.
func TestMentioned(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, a *app, _ storetest.Database) {
		ada, bob := a.connect(t, "Ada", chattest.WebSocket), a.connect(t, "Bob", chattest.WebSocket)
		cleo, eve := a.connect(t, "Cleo", chattest.WebSocket), a.connect(t, "Eve", chattest.WebSocket)
		for _, s := range []*chattest.Socket{ada, bob, cleo} {
			call(t, s, "room.join", object{"room_id": "team"})
		}
		phone := a.connect(t, "Bob", chattest.Polling) // in no room

		m := call(t, ada, "message.send", object{
			"room_id": "team", "text": "@bob, is (@ada) or @eve there? Ask x@example.com", "mentioned_user_ids": []string{"cleo", "nobody"},
		}).Message
		require.ElementsMatch(t, []string{"bob", "ada", "cleo"}, m.MentionedUserIDs, "members of the room")
		told := expect(t, phone, "notification.message_new")
		require.Equal(t, m.ID, told.Message.ID)
		require.Equal(t, "ada", told.User.ID)

		// An edit tells whom it adds.
		edited := call(t, ada, "message.update", object{"message_id": m.ID, "text": "@cleo and @bob: no"}).Message
		require.ElementsMatch(t, []string{"bob", "cleo"}, edited.MentionedUserIDs)
		second := call(t, ada, "message.send", object{"room_id": "team", "text": "again, @bob"}).Message
		require.Equal(t, second.ID, expect(t, phone, "notification.message_new").Message.ID, "not again for what had named him before")
		for _, s := range []*chattest.Socket{ada, bob, cleo, eve, phone} {
			s.ExpectNone(t, "notification.message_new")
		}
	})
}

// Filters see every new version, and nobody speaks with the words of the chat.
func TestEditsAreFiltered(t *testing.T) {
	t.Parallel()
	seen := make(chan chat.Draft, 10)
	a := newApp(t, chat.WithNotices(store.RoomPublic), chat.WithFilter(func(_ context.Context, d *chat.Draft) error {
		if strings.Contains(d.Text, "darn") {
			return chat.Reject("Mind your language.")
		}
		d.Text = strings.ReplaceAll(d.Text, "heck", "****")
		seen <- *d
		return nil
	}))
	ada := a.connect(t, "Ada", chattest.WebSocket)
	call(t, ada, "room.join", object{"room_id": "team"})
	m := call(t, ada, "message.send", object{"room_id": "team", "text": "hello"}).Message
	require.Empty(t, (<-seen).MessageID)
	require.Equal(t, chat.CodeMessageRejected, refused(t, ada, "message.update", object{"message_id": m.ID, "text": "darn"}).Code)
	require.Equal(t, "oh ****", call(t, ada, "message.update", object{"message_id": m.ID, "text": "oh heck"}).Message.Text)
	require.Equal(t, m.ID, (<-seen).MessageID)
	require.Equal(t, chat.CodeInvalidArgument, refused(t, ada, "message.update", object{"message_id": m.ID, "text": " "}).Code)
	require.Equal(t, chat.CodeMessageTooLarge,
		refused(t, ada, "message.update", object{"message_id": m.ID, "text": strings.Repeat("x", 1<<17)}).Code)
	for _, emoji := range []string{"", "a b", "\u202e", strings.Repeat("x", 65)} {
		require.Equal(t, chat.CodeInvalidArgument, refused(t, ada, "reaction.add", object{"message_id": m.ID, "emoji": emoji}).Code, "%q", emoji)
	}

	said, err := a.chat.System().Send(t.Context(), chat.NewMessage{RoomID: "team", Text: "Welcome."})
	require.NoError(t, err)
	require.Equal(t, chat.CodeForbidden, refused(t, ada, "message.update", object{"message_id": said.ID, "text": "Go away."}).Code)
	changed, err := a.chat.System().UpdateMessage(t.Context(), chat.MessageChange{MessageID: said.ID, Attachments: []chat.Attachment{{URL: "https://example.com"}}})
	require.NoError(t, err)
	require.Equal(t, "Welcome.", changed.Text)
	require.Len(t, changed.Attachments, 1)
}
