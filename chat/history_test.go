package chat

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/store"
)

func TestHistoryArguments(t *testing.T) {
	t.Parallel()
	id := "019822b0-0000-7000-8000-000000000000"
	for _, test := range []struct {
		in   string
		want store.HistoryQuery // of room "r"
		ok   bool
	}{
		{`{}`, store.HistoryQuery{}, true},
		{`{"limit":200}`, store.HistoryQuery{Limit: 200}, true},
		{`{"before":12}`, store.HistoryQuery{Before: store.AtSeq(12)}, true},
		{`{"before":"12"}`, store.HistoryQuery{Before: store.AtSeq(12)}, true},
		{`{"after":0}`, store.HistoryQuery{After: store.AtSeq(0)}, true},
		{`{"after":0,"before":null}`, store.HistoryQuery{After: store.AtSeq(0)}, true},
		{`{"around":"` + id + `"}`, store.HistoryQuery{Around: store.AtMessage(id)}, true},
		{`{"cursor":"before:9"}`, store.HistoryQuery{Before: store.AtSeq(9)}, true},
		{`{"cursor":"after:9"}`, store.HistoryQuery{After: store.AtSeq(9)}, true},
		{`{"cursor":"9"}`, store.HistoryQuery{Before: store.AtSeq(9)}, true},
		{`{"before":1,"after":2}`, store.HistoryQuery{}, false},
		{`{"before":1,"cursor":"after:2"}`, store.HistoryQuery{}, false},
		{`{"before":1,"cursor":"before:2"}`, store.HistoryQuery{}, false},
		{`{"before":-1}`, store.HistoryQuery{}, false},
		{`{"before":1.5}`, store.HistoryQuery{}, false},
		{`{"before":"-1"}`, store.HistoryQuery{}, false},
		{`{"before":{}}`, store.HistoryQuery{}, false},
		{`{"before":"a\u0000b"}`, store.HistoryQuery{}, false},
		{`{"limit":201}`, store.HistoryQuery{}, false},
		{`{"limit":-1}`, store.HistoryQuery{}, false},
	} {
		t.Run(test.in, func(t *testing.T) {
			t.Parallel()
			a := HistoryQuery{RoomID: "r"}
			err := json.Unmarshal([]byte(test.in), &a)
			var q store.HistoryQuery
			if err == nil {
				q, err = a.query()
			}
			if !test.ok {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			test.want.RoomID, test.want.MaxBytes = "r", pageBytes
			require.Equal(t, test.want, q)
		})
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	for in, ok := range map[string]bool{
		``: true, `null`: true, `{}`: true, `{"a":[1,"x"]}`: true, `{"a":"\\u0000"}`: true,
		`[]`: false, `1`: false, `{`: false, `{"a":"\u0000"}`: false, `{"a":"\\\u0000"}`: false, "{\"a\":\"\xff\"}": false,
	} {
		require.Equal(t, ok, checkMetadata(json.RawMessage(in), maxMetadataBytes) == nil, "%q", in)
	}
	require.Error(t, checkMetadata(make(json.RawMessage, maxMetadataBytes+1), maxMetadataBytes))
}
