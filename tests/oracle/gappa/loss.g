# oracle.kernel.evaluate, f = log1p(Y) = -ln R + log1p(W), for i >= 1, absolutely: the test divides by the least loss.
# w1, w2 and their error against W are argument.g's; LOG_HEAD + LOG_TAIL is the table's -ln R but for TABLE.
# CUT: what the series to W^7, with its rounded coefficients, leaves of log1p(W).
@r = float<ieee_64, ne>;
c3 = @C3@;
c4 = @C4@;
c5 = @C5@;
c6 = @C6@;
c7 = @C7@;
w1 = float<26, -1074, zr>(W1);
w2 = r(W2);
log_head = r(LOG_HEAD);
log_tail = r(LOG_TAIL);

w r= w1 + w2;
square = w1 * w1;                        # exact by argument.g
crossed r= w2 * (w1 + w);
cube r= (w * w) * w;
bracket r= c3 - w * (c4 - w * (c5 - w * (c6 - w * c7)));
cubic r= cube * bracket;
sum1 = log_head + w1;
f1 = r(sum1);
f_error = sum1 - f1;                     # fast_two_sum is exact
sum2 = f1 - 0.5 * square;
f2 = r(sum2);
square_error = sum2 - f2;                # fast_two_sum is exact
left1 r= f_error + square_error;
left2 r= left1 + log_tail;
right1 r= cubic - 0.5 * crossed;
right2 r= w2 + right1;
f_low r= left2 + right2;

W = w1 + w2 - W_ERROR;
B = c3 - W * (c4 - W * (c5 - W * (c6 - W * c7)));
b = c3 - w * (c4 - w * (c5 - w * (c6 - w * c7)));
ROUNDINGS = (f_low - (left2 + right2)) + (left2 - (left1 + log_tail)) + (left1 - (f_error + square_error))
          + (right2 - (w2 + right1)) + (right1 - (cubic - 0.5 * crossed));
SQUARES = (crossed - w2 * (w1 + w)) + w2 * (w - (w1 + w2)) + W_ERROR * (w1 + w2 + W);  # square + crossed - W^2
CUBICS = (cubic - w * w * w * b) + (w * w * w * b - W * W * W * B);
TOTAL = ROUNDINGS + W_ERROR - 0.5 * SQUARES + CUBICS - TABLE - CUT;  # f2 + f_low - f, by the definitions above

{ |W1| <= @W1@ /\ |W2| <= @W2@ /\ |W_ERROR| <= @W_ERROR@ /\ LOG_HEAD in [@LOG_LOW@, @LOG_HIGH@] /\ |LOG_TAIL| <= @LOG_TAIL@
  /\ |TABLE| <= @TABLE@ /\ |CUT| <= @CUT@
  ->
  |TOTAL| <= @BOUND@ }

w * w * w * b - W * W * W * B -> (w - W) * ((w * w + w * W + W * W) * b) + W * W * W * (b - B);
w - W -> (w - (w1 + w2)) + W_ERROR;
b - B -> (w - W) * (W * ((c5 - w * (c6 - w * c7)) - W * ((c6 - w * c7) - W * c7)) - (c4 - w * (c5 - w * (c6 - w * c7))));
