package chat

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/echochat/echochat/store"
)

// SyncQuery asks for what is new in all of one's rooms.
type SyncQuery struct {
	// Since is what the client has: the since of the answer before, or a list of its own, such as general:41,random:7, of rooms with
	// the seq of the last message that it has of each. Other rooms are new to it. At most 5,000 rooms.
	Since  string `json:"since,omitempty"`
	Cursor string `json:"cursor,omitempty"` // NextCursor of the answer before
	Limit  int    `json:"limit,omitempty"`  // messages in all; defaults to 50, at most 200
}

// SyncedRoom is what is new in a room.
type SyncedRoom struct {
	Room     Room      `json:"room"`
	Messages []Message `json:"messages"`         // ascending by seq: those that the client does not have, or the latest of a room that is new to it
	Resync   bool      `json:"resync,omitempty"` // what the client has of the room is of another database: it is to be thrown away

	HasMoreBefore bool `json:"has_more_before"` // of a room that is new to the client, or to be resynced
	HasMoreAfter  bool `json:"has_more_after"`  // the rest comes with the next answer
}

// SyncResult is what is new in one's rooms.
type SyncResult struct {
	Rooms       []SyncedRoom `json:"rooms"`
	LeftRoomIDs []string     `json:"left_room_ids"` // rooms of since that one is not a member of any more
	Since       string       `json:"since"`         // what the client has with this answer, to ask again with
	HasMore     bool         `json:"has_more"`      // to be asked for at once, with since and next_cursor
	NextCursor  string       `json:"next_cursor,omitempty"`
}

func (c *Chat) syncOperations() []*operation {
	return []*operation{
		define(c.sync, spec{
			name: "sync", event: true, route: "GET /sync", action: ActionSync,
			doc: "Returns the messages of all of one's rooms that one does not have.",
		}),
	}
}

// Sync returns the messages of all of the user's rooms that somebody with the positions of the query does not have. Whoever asks
// until there is no more has each of them once. Changes of messages that they have are not among it.
func (a *Actor) Sync(ctx context.Context, q SyncQuery) (SyncResult, error) {
	return call[SyncResult](ctx, a, "sync", q)
}

func (c *Chat) sync(ctx context.Context, r *request, in *SyncQuery) (SyncResult, error) {
	if err := checkLimit(in.Limit); err != nil {
		return SyncResult{}, err
	}
	since, ok := parseSince(in.Since)
	if !ok {
		return SyncResult{}, invalid("since", "is not a list of at most 5000 rooms and seqs")
	}
	if len(in.Cursor) > maxRoomIDBytes || !printable(in.Cursor) {
		return SyncResult{}, badCursor()
	}
	page, err := c.store.Sync(ctx, store.SyncQuery{UserID: r.user.ID, Since: since, After: in.Cursor, Limit: in.Limit, MaxBytes: pageBytes})
	if err != nil {
		return SyncResult{}, c.storeError("sync", err)
	}
	out := SyncResult{Rooms: make([]SyncedRoom, 0, len(page.Rooms)), LeftRoomIDs: append([]string{}, page.Left...), HasMore: page.More}
	if page.More {
		out.NextCursor = page.Next
	}
	for _, id := range page.Left {
		delete(since, id)
	}
	for _, news := range page.Rooms {
		// Members may read, unless the app says otherwise.
		may, err := c.allowed(ctx, r.user, ActionHistoryRead, store.Access{Room: news.Room, Member: &news.Member})
		if err != nil {
			return SyncResult{}, err
		}
		if !may {
			if out.HasMore && news.HasMoreAfter { // which the client does not get either
				out.NextCursor = news.Room.ID
			}
			continue
		}
		messages, err := c.messagesFor(ctx, r, news.Messages)
		if err != nil {
			return SyncResult{}, err
		}
		out.Rooms = append(out.Rooms, SyncedRoom{
			Room: roomOf(news.Room), Messages: messages, Resync: news.Resync, HasMoreBefore: news.HasMoreBefore, HasMoreAfter: news.HasMoreAfter,
		})
		p := store.SyncPosition{Seq: news.Room.LastSeq, Epoch: news.Room.Epoch[:min(len(news.Room.Epoch), epochPrefix)]}
		if n := len(messages); n > 0 {
			p.Seq = messages[n-1].Seq
		}
		since[news.Room.ID] = p
	}
	out.Since = formatSince(since)
	return out, nil
}

const (
	maxSyncRooms = 5000
	epochPrefix  = 8 // characters of an epoch that tell it from that of another database
)

// parseSince reads a list of rooms, as room:seq or room:seq:epoch with commas in between.
func parseSince(s string) (map[string]store.SyncPosition, bool) {
	since := make(map[string]store.SyncPosition)
	if s == "" {
		return since, true
	}
	for entry := range strings.SplitSeq(s, ",") {
		id, rest, _ := strings.Cut(entry, ":")
		text, epoch, _ := strings.Cut(rest, ":")
		seq, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seq < 0 || checkRoomID(id) != nil || !printable(epoch) || len(since) == maxSyncRooms {
			return nil, false
		}
		since[id] = store.SyncPosition{Seq: seq, Epoch: epoch}
	}
	return since, true
}

func formatSince(since map[string]store.SyncPosition) string {
	var list strings.Builder
	for i, id := range slices.Sorted(maps.Keys(since)) {
		if i > 0 {
			list.WriteByte(',')
		}
		p := since[id]
		list.WriteString(id + ":" + strconv.FormatInt(p.Seq, 10))
		if p.Epoch != "" {
			list.WriteString(":" + p.Epoch)
		}
	}
	return list.String()
}
