package chat

import (
	"context"
	"errors"
	"time"

	"github.com/echochat/echochat/store"
)

// Action is something that one needs a permission for. Its name is the same for events, REST and Go.
type Action string

// The actions. Those without a room are anybody's who is signed in.
const (
	ActionAuthRefresh  Action = "auth.refresh"  // sign in anew on the same connection
	ActionUserRead     Action = "user.read"     // see who one is
	ActionRoomList     Action = "room.list"     // list one's own rooms, and public ones
	ActionRoomCreate   Action = "room.create"   // create a room
	ActionRoomRead     Action = "room.read"     // see that a room is there, and what it is called
	ActionRoomDirect   Action = "room.direct"   // have a room with another user
	ActionRoomUpdate   Action = "room.update"   // say what a room is called, and what it is about
	ActionRoomRetype   Action = "room.retype"   // say who may join a room
	ActionRoomDelete   Action = "room.delete"   // delete a room
	ActionRoomTransfer Action = "room.transfer" // make somebody the owner of a room
	ActionRoomNotify   Action = "room.notify"   // say what one wants to be told of
	ActionRoomMark     Action = "room.mark"     // say up to where one has read
	ActionPresenceSet  Action = "presence.set"  // say what one wants to be shown as
	ActionPresenceRead Action = "presence.read" // see whether somebody is there with whom one shares a room
	ActionUnreadRead   Action = "unread.read"   // count what one has not read
	ActionRoomJoin     Action = "room.join"     // become a member, or listen as one
	ActionRoomLeave    Action = "room.leave"    // end one's own membership
	ActionHistoryRead  Action = "history.read"  // read messages, and hear them as they come
	ActionSearch       Action = "search"        // search in one's own rooms; in a room it takes history.read besides
	ActionSync         Action = "sync"          // read what is new in one's own rooms
	ActionUpload       Action = "upload"        // upload files, and read what was uploaded
	ActionMemberList   Action = "member.list"   // see who the members are
	ActionMemberAdd    Action = "member.add"    // make a member of somebody
	ActionMemberRemove Action = "member.remove" // end somebody's membership
	ActionMemberUpdate Action = "member.update" // give somebody another role
	ActionMemberInvite Action = "member.invite" // offer somebody a membership

	ActionModeratorManage Action = "moderator.manage" // make a moderator, or do to one what can be done to a member
	ActionOwnerManage     Action = "owner.manage"     // do to an owner what can be done to a member

	ActionMemberMute   Action = "member.mute"   // keep somebody from speaking in a room
	ActionMemberBan    Action = "member.ban"    // keep somebody out of a room
	ActionUserSanction Action = "user.sanction" // keep somebody from speaking or being anywhere
	ActionMessageFlag  Action = "message.flag"  // report a message
	ActionFlagReview   Action = "flag.review"   // see what was reported in a room, and say what was made of it
	ActionFlagAll      Action = "flag.all"      // see what was reported anywhere
	ActionAuditRead    Action = "audit.read"    // see who has used which privilege in a room
	ActionAuditAll     Action = "audit.all"     // see who has used which privilege anywhere

	ActionInvitationList   Action = "invitation.list"   // see who is invited
	ActionInvitationRevoke Action = "invitation.revoke" // take an invitation back
	ActionInvitationOwn    Action = "invitation.own"    // see where one is invited
	ActionInvitationAnswer Action = "invitation.answer" // accept or decline an invitation

	ActionMessageSend    Action = "message.send"    // say something
	ActionMessageRead    Action = "message.read"    // read a message, or replies to it
	ActionMessageReaders Action = "message.readers" // see who has read a message
	ActionMessageTyping  Action = "message.typing"  // be shown as typing

	ActionMessageUpdate    Action = "message.update.own" // change what one has said
	ActionMessageUpdateAny Action = "message.update.any" // change what somebody else has said
	ActionMessageDelete    Action = "message.delete.own" // take back what one has said
	ActionMessageDeleteAny Action = "message.delete.any" // take back what somebody else has said
	ActionMessagePin       Action = "message.pin"        // pin a message, or take the pin off
	ActionReactionAdd      Action = "reaction.add"       // react to a message
	ActionReactionRemove   Action = "reaction.remove"    // take one's reaction back
)

// standing is what somebody is in a room, each one more than the one before.
type standing uint8

const (
	stranger  standing = iota + 1
	invited            // to become a member
	reader             // store.RoleReadOnly
	member             // store.RoleMember
	moderator          // store.RoleModerator
	owner              // store.RoleOwner
	admin              // User.Admin, in every room
	nobody             // the system alone
)

// rule is a row of the table of permissions: the least standing that an action takes, by the type of the room.
type rule struct {
	public, private, channel, direct standing

	admins   bool // of an action that is about no room: for admins alone
	message  bool // the action is about a message; otherwise about a room, or with no standings at all about neither
	deleted  bool // also about a message that is deleted
	speaks   bool // refused to who is muted
	personal bool // about the caller's own person, which the system has none of
}

// permissions is the table: who may do what. What is not in it may nobody.
func permissions() map[Action]rule {
	return map[Action]rule{
		ActionAuthRefresh:  {personal: true},
		ActionUserRead:     {personal: true},
		ActionRoomList:     {},
		ActionRoomCreate:   {},
		ActionRoomDirect:   {personal: true},
		ActionPresenceSet:  {personal: true},
		ActionPresenceRead: {},
		ActionUnreadRead:   {personal: true},
		ActionSearch:       {},
		ActionUpload:       {personal: true},
		ActionSync:         {personal: true},

		ActionRoomRead:     {public: stranger, private: invited, channel: stranger, direct: reader},
		ActionRoomUpdate:   {public: moderator, private: moderator, channel: moderator, direct: nobody},
		ActionRoomRetype:   {public: owner, private: owner, channel: owner, direct: nobody},
		ActionRoomDelete:   {public: owner, private: owner, channel: owner, direct: nobody},
		ActionRoomTransfer: {public: owner, private: owner, channel: owner, direct: nobody},
		ActionRoomMark:     {public: reader, private: reader, channel: reader, direct: reader, personal: true, deleted: true},
		ActionRoomNotify:   {public: reader, private: reader, channel: reader, direct: reader, personal: true},
		ActionRoomJoin:     {public: stranger, private: invited, channel: stranger, direct: reader, personal: true},
		ActionRoomLeave:    {public: reader, private: reader, channel: reader, direct: reader, personal: true},
		ActionHistoryRead:  {public: reader, private: reader, channel: reader, direct: reader},
		ActionMemberList:   {public: reader, private: reader, channel: reader, direct: reader},
		ActionMemberAdd:    {public: moderator, private: moderator, channel: moderator, direct: nobody},
		ActionMemberRemove: {public: moderator, private: moderator, channel: moderator, direct: nobody},
		ActionMemberUpdate: {public: moderator, private: moderator, channel: moderator, direct: nobody},
		ActionMemberInvite: {public: member, private: moderator, channel: moderator, direct: nobody},

		ActionModeratorManage: {public: owner, private: owner, channel: owner, direct: nobody},
		ActionOwnerManage:     {public: admin, private: admin, channel: admin, direct: nobody},

		ActionMemberMute:   {public: moderator, private: moderator, channel: moderator, direct: nobody},
		ActionMemberBan:    {public: moderator, private: moderator, channel: moderator, direct: nobody},
		ActionMessageFlag:  {public: reader, private: reader, channel: reader, direct: reader, message: true, personal: true},
		ActionFlagReview:   {public: moderator, private: moderator, channel: moderator, direct: admin},
		ActionAuditRead:    {public: owner, private: owner, channel: owner, direct: admin},
		ActionUserSanction: {admins: true},
		ActionFlagAll:      {admins: true},
		ActionAuditAll:     {admins: true},

		ActionInvitationOwn:    {personal: true},
		ActionInvitationList:   {public: moderator, private: moderator, channel: moderator, direct: nobody},
		ActionInvitationRevoke: {public: moderator, private: moderator, channel: moderator, direct: nobody},
		ActionInvitationAnswer: {public: invited, private: invited, channel: invited, direct: nobody, personal: true},

		ActionMessageSend:    {public: member, private: member, channel: moderator, direct: member, speaks: true},
		ActionMessageReaders: {public: reader, private: reader, channel: moderator, direct: reader, message: true},
		ActionMessageRead:    {public: reader, private: reader, channel: reader, direct: reader, message: true, deleted: true},
		ActionMessageTyping:  {public: member, private: member, channel: moderator, direct: member, speaks: true, personal: true},

		ActionMessageUpdate:    {public: member, private: member, channel: moderator, direct: member, message: true, speaks: true},
		ActionMessageUpdateAny: {public: nobody, private: nobody, channel: nobody, direct: nobody, message: true},
		ActionMessageDelete:    {public: reader, private: reader, channel: reader, direct: reader, message: true, deleted: true},
		ActionMessageDeleteAny: {public: moderator, private: moderator, channel: moderator, direct: admin, message: true, deleted: true},
		ActionMessagePin:       {public: moderator, private: moderator, channel: moderator, direct: member, message: true},
		ActionReactionAdd:      {public: member, private: member, channel: reader, direct: member, message: true, speaks: true, personal: true},
		ActionReactionRemove:   {public: reader, private: reader, channel: reader, direct: reader, message: true, personal: true},
	}
}

// anywhere reports whether the action is about no room.
func (r rule) anywhere() bool { return r.public == 0 }

// least is the standing that the action takes in a room.
func (r rule) least(t store.RoomType) standing {
	switch t {
	case store.RoomPublic:
		return r.public
	case store.RoomPrivate:
		return r.private
	case store.RoomChannel:
		return r.channel
	case store.RoomDirect:
		return r.direct
	default:
		return nobody
	}
}

// standingOf is what a user is in the room that was looked up.
func standingOf(u User, a store.Access) standing {
	switch {
	case u.Admin:
		return admin
	case a.Banned != nil:
		return stranger
	case a.Member != nil:
		return standingAs(a.Member.Role)
	case a.Invited != nil:
		return invited
	default:
		return stranger
	}
}

// standingAs is what a role amounts to.
func standingAs(r store.Role) standing {
	switch r {
	case store.RoleOwner:
		return owner
	case store.RoleModerator:
		return moderator
	case store.RoleMember:
		return member
	default:
		return reader
	}
}

// AuthRequest is a question to the app's Authorizer.
type AuthRequest struct {
	User    User
	Action  Action
	Room    Room    // zero for actions that are about no room
	Member  *Member // the user's membership in the room, or nil
	Allowed bool    // what the table of permissions says
}

// Authorizer decides who may do what in place of the table of permissions, see WithAuthorizer.
type Authorizer func(ctx context.Context, r AuthRequest) (bool, error)

// target is what an operation is about: a room, a message, or neither.
type target struct{ roomID, messageID string }

// permit says whether the caller may do something to a room or a message, from what the database says at this moment, and
// returns what it says. It alone decides, for events, REST and Go alike. Something that the caller may not see is answered
// like something that is not there.
func (c *Chat) permit(ctx context.Context, who caller, action Action, t target) (store.Access, error) {
	return c.permitOn(ctx, who, action, "", t)
}

// permitOn is permit with another action, if others is one, where the message is somebody else's.
func (c *Chat) permitOn(ctx context.Context, who caller, action, others Action, t target) (store.Access, error) {
	row, ok := c.rules[action]
	if !ok || who.system && row.personal {
		return store.Access{}, Forbidden("This is not allowed.")
	}
	if row.anywhere() {
		return store.Access{}, c.permitAnywhere(ctx, who, action, row)
	}
	if err := checkTarget(t, row.message); err != nil {
		return store.Access{}, err
	}
	a, err := c.access(ctx, who, t)
	switch {
	case errors.Is(err, store.ErrMessageNotFound) && !row.message && a.Room.ID != "":
		if err := c.decideFor(ctx, who, action, row, a); err != nil {
			return store.Access{}, err
		}
		return store.Access{}, messageNotFound()
	case errors.Is(err, store.ErrRoomNotFound), errors.Is(err, store.ErrMessageNotFound):
		return store.Access{}, missing(row)
	case err != nil:
		return store.Access{}, c.storeError(string(action), err)
	}
	if a.Message != nil && a.Message.DeletedAt != 0 && !row.deleted {
		return store.Access{}, missing(row)
	}
	if others != "" && (a.Message == nil || a.Message.SenderID != who.user.ID) {
		action, row = others, c.rules[others]
	}
	if err := c.decideFor(ctx, who, action, row, a); err != nil {
		return store.Access{}, err
	}
	return a, nil
}

// access is what the database says of the caller and the target.
func (c *Chat) access(ctx context.Context, who caller, t target) (store.Access, error) {
	q := store.AccessQuery{UserID: who.user.ID, RoomID: t.roomID, MessageID: t.messageID}
	if who.tx != nil {
		return c.store.AccessTx(ctx, who.tx, q)
	}
	return c.store.Access(ctx, q)
}

// decideFor is decide for a caller who may be the system.
func (c *Chat) decideFor(ctx context.Context, who caller, action Action, row rule, a store.Access) error {
	if who.system {
		return nil
	}
	return c.decide(ctx, who.user, action, row, a)
}

// checkTarget refuses ids that nothing can have.
func checkTarget(t target, message bool) error {
	if !message || t.roomID != "" {
		if err := checkRoomID(t.roomID); err != nil {
			return err
		}
	}
	if message && t.messageID == "" {
		return invalid("message_id", "is missing")
	}
	return nil
}

// missing is the answer about what is not there.
func missing(row rule) *Error {
	if row.message {
		return messageNotFound()
	}
	return roomNotFound()
}

// permitAnywhere is permit for an action that is about no room.
func (c *Chat) permitAnywhere(ctx context.Context, who caller, action Action, row rule) error {
	if who.system {
		return nil
	}
	if err := c.checkBan(ctx, who.user); err != nil {
		return err
	}
	allowed, err := c.ask(ctx, AuthRequest{User: who.user, Action: action, Allowed: who.user.Admin || !row.admins})
	if err == nil && !allowed {
		err = Forbidden("You may not do this.")
	}
	return err
}

// decide says whether a user may do something, and if not, as much of the reason as the user may know.
func (c *Chat) decide(ctx context.Context, u User, action Action, row rule, a store.Access) error {
	banned := a.Banned != nil && !u.Admin
	allowed, err := c.allowed(ctx, u, action, a)
	if allowed && err == nil && !banned {
		if row.speaks && a.Muted != nil && !u.Admin {
			return sanctioned(CodeMuted, "You are muted.", a.Muted)
		}
		return nil
	}
	least := row.least(a.Room.Type)
	seen, seenErr := false, error(nil)
	if action != ActionRoomRead {
		seen, seenErr = c.allowed(ctx, u, ActionRoomRead, a)
	} else if banned {
		seen = allowed && err == nil
	}
	outside := standingOf(u, a) < reader
	switch {
	case !seen || seenErr != nil, row.message && outside:
		return missing(row)
	case banned:
		return sanctioned(CodeBanned, "You are banned from this room.", a.Banned)
	case err != nil:
		return err
	case outside && least >= reader && least < nobody:
		return notAMember()
	default:
		return Forbidden("You may not do this here.")
	}
}

// allowed asks the table, and then the app's Authorizer.
func (c *Chat) allowed(ctx context.Context, u User, action Action, a store.Access) (bool, error) {
	r := AuthRequest{User: u, Action: action, Allowed: standingOf(u, a) >= c.rules[action].least(a.Room.Type)}
	if c.cfg.authorizer == nil {
		return r.Allowed, nil
	}
	r.Room = roomOf(a.Room)
	if a.Member != nil {
		m := c.memberOf(*a.Member)
		m.User = u
		r.Member = &m
	}
	return c.ask(ctx, r)
}

// mayIn reports whether the caller may do something in a room that a list has: a ban or the app's authorizer may forbid it.
func (c *Chat) mayIn(ctx context.Context, who caller, action Action, roomID string) (bool, error) {
	_, err := c.permit(ctx, who, action, target{roomID: roomID})
	if e, ok := asError(err); ok && !e.Code.transient() && e.Code != CodeInternal {
		return false, nil
	}
	return err == nil, err
}

// ask calls the app's Authorizer, if there is one.
func (c *Chat) ask(ctx context.Context, r AuthRequest) (allowed bool, err error) {
	if c.cfg.authorizer == nil {
		return r.Allowed, nil
	}
	err = c.guard("authorizer", CodeInternal, func() error {
		allowed, err = c.cfg.authorizer(ctx, r)
		return err
	})
	return allowed && err == nil, err
}

// sanctioned refuses because of a mute or a ban, and says for how long it will.
func sanctioned(code Code, message string, s *store.Sanction) *Error {
	e := NewError(code, message)
	if s.Until != 0 {
		e.RetryAfter = max(time.Until(s.Until.Time()), 0)
	}
	return e
}
